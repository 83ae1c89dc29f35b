//go:build linux

package supervise

import (
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Stream says where an output of the command goes.
type Stream struct {
	// To receives every byte, unchanged, as soon as it comes. If it fails for good, the command may go on writing.
	To *os.File
	// Tee is then shown the same bytes, which are valid during the call only. It is never called twice at the same time, and not
	// after Run has returned. If it is nil, or if To is a terminal, the command writes to To directly.
	Tee func([]byte)
}

func (s Stream) direct() bool {
	if s.Tee == nil {
		return true
	}
	_, err := unix.IoctlGetTermios(int(s.To.Fd()), unix.TCGETS)
	return err == nil
}

const (
	// slow is how long To may take nothing before the command may run ahead, and the order of its streams is not kept.
	slow = 100 * time.Millisecond
	// unheard is how long a write may be in an ordered pipe and not be told of.
	unheard = 20 * time.Millisecond
	// bufferSize is as much as is passed on at once.
	bufferSize = 64 << 10
	// stalled is how long To may refuse to take anything, when the command has ended, before what is left for it is dropped.
	stalled = 10 * time.Second
)

// pumps carry what the command writes from pipes to where it goes, in the order in which it was written: see pipe. One thread
// serves all of them.
type pumps struct {
	pipes []*pipe
	// writes is a signalfd that tells of each write, in their order; -1 if there is one stream only, or if the kernel cannot do that.
	// Then no pipe is ever ordered.
	writes int
	// queue has the pipe of each write that was told of and not passed on.
	queue []*pipe
	// over is an eventfd that ends the wait for more.
	over   int
	buffer []byte
	moved  atomic.Int64 // bytes that the streams have taken
	done   chan struct{}

	tee  sync.Mutex // held during a call of Tee
	left bool       // Run does not wait any longer
}

// newPumps returns pumps that are at work.
func newPumps(streams []Stream) (*pumps, error) {
	over, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	p := &pumps{writes: -1, over: over, buffer: make([]byte, bufferSize), done: make(chan struct{})}
	for _, stream := range streams {
		made, err := newPipe(stream)
		if err != nil {
			p.close()
			return nil, err
		}
		p.pipes = append(p.pipes, made)
	}
	ready := make(chan struct{})
	go p.run(ready)
	<-ready
	return p, nil
}

func (p *pumps) close() {
	for _, pipe := range p.pipes {
		pipe.close()
	}
	_ = unix.Close(p.over)
	if p.writes >= 0 {
		_ = unix.Close(p.writes)
	}
}

// run passes on what comes until finish is called. It says when it is ready for that.
func (p *pumps) run(ready chan<- struct{}) {
	runtime.LockOSThread() // and for good: nobody else is to have this thread's signals
	defer close(p.done)
	defer p.close()
	p.listen()
	close(ready)
	for p.await() {
		for range p.fetch() { // not for as long as there are any: finish may have been called
			if pipe := p.next(); pipe != nil {
				p.carry(pipe)
			}
		}
		for _, pipe := range p.pipes {
			if pipe.told == 0 && pipe.size() > 0 && (!pipe.ordered || !p.willHear()) {
				p.carry(pipe)
			}
		}
	}
	p.rest()
}

// listen has writes tell of themselves, if there are several pipes, and if that works here.
func (p *pumps) listen() {
	large := true
	for _, pipe := range p.pipes {
		large = pipe.enlarge() && large
	}
	if len(p.pipes) < 2 || !large {
		return
	}
	var set unix.Sigset_t
	const bits = 8 * int(unsafe.Sizeof(set.Val[0]))
	for _, signal := range []unix.Signal{writeSignal, unix.SIGIO} {
		set.Val[(int(signal)-1)/bits] |= 1 << ((int(signal) - 1) % bits)
	}
	if unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil) != nil {
		return
	}
	fd, err := unix.Signalfd(-1, &set, unix.SFD_CLOEXEC|unix.SFD_NONBLOCK)
	if err != nil {
		return
	}
	p.writes = fd
	for _, pipe := range p.pipes {
		if !p.hears(pipe) {
			for _, pipe := range p.pipes {
				pipe.order(false)
			}
			_ = unix.Close(fd)
			p.writes = -1
			return
		}
	}
}

// hears orders a pipe, and says whether a write to it is told of.
func (p *pumps) hears(pipe *pipe) bool {
	if !pipe.signals(unix.Gettid()) {
		return false
	}
	pipe.order(true)
	if _, err := unix.Write(pipe.in, p.buffer[:1]); err != nil {
		return false
	}
	if _, err := unix.Read(pipe.out, p.buffer); err != nil {
		return false
	}
	return p.next() == pipe && len(p.queue) == 0
}

// await returns when there is something to pass on, or, with false, when finish has been called.
func (p *pumps) await() bool {
	fds := []unix.PollFd{{Fd: int32(p.over), Events: unix.POLLIN}} //nolint:gosec // file descriptors
	for _, pipe := range p.pipes {
		fds = append(fds, unix.PollFd{Fd: int32(pipe.out), Events: unix.POLLIN}) //nolint:gosec // file descriptors
	}
	for {
		if n, err := unix.Poll(fds, -1); n > 0 && err == nil {
			return fds[0].Revents == 0
		}
	}
}

// willHear says whether a write is told of within a moment. It can be seen a little before that.
func (p *pumps) willHear() bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(p.writes), Events: unix.POLLIN}}, int(unheard.Milliseconds())) //nolint:gosec // a file descriptor
	return n > 0 || err != nil
}

// fetch takes in which writes there have been since, and returns how many are to be passed on. One that finds its pipe full tells
// so as well. Since a pipe has no more writes than pages, what is told beyond that is no write. It is the latest of that pipe, since
// this looks before it makes room.
func (p *pumps) fetch() int {
	var signals [64]unix.SignalfdSiginfo
	const size = int(unsafe.Sizeof(signals[0]))
	for p.writes >= 0 {
		n, _ := unix.Read(p.writes, unsafe.Slice((*byte)(unsafe.Pointer(&signals)), len(signals)*size))
		for _, signal := range signals[:max(n, 0)/size] {
			p.hear(&signal)
		}
		if n < len(signals)*size {
			break
		}
	}
	for _, pipe := range p.pipes {
		if extra := pipe.told - pipeSize/pageSize; extra > 0 {
			p.forget(pipe, extra)
		}
	}
	return len(p.queue)
}

func (p *pumps) hear(signal *unix.SignalfdSiginfo) {
	switch {
	case signal.Code <= 0: // not the kernel's
		_ = unix.Kill(unix.Getpid(), unix.Signal(signal.Signo))
	case signal.Signo == uint32(unix.SIGIO): // more signals than may queue: some are lost
		for _, pipe := range p.pipes {
			pipe.order(false)
		}
	default:
		for _, pipe := range p.pipes {
			if pipe.out == int(signal.Fd) {
				p.queue, pipe.told = append(p.queue, pipe), pipe.told+1
			}
		}
	}
}

// forget takes the latest n writes to a pipe out of the queue.
func (p *pumps) forget(of *pipe, n int) {
	for i := len(p.queue) - 1; i >= 0 && n > 0; i-- {
		if p.queue[i] == of {
			p.queue = slices.Delete(p.queue, i, i+1)
			of.told, n = of.told-1, n-1
		}
	}
}

// next is the pipe of the earliest write that has not been passed on; nil if there is none.
func (p *pumps) next() *pipe {
	if p.fetch() == 0 {
		return nil
	}
	first := p.queue[0]
	p.queue = slices.Delete(p.queue, 0, 1)
	first.told--
	return first
}

// carry passes on one write, or what is in the pipe if it is not ordered. What another such pipe held already goes first: its order
// is lost, and from now on it is ordered.
func (p *pumps) carry(from *pipe) {
	for _, other := range p.pipes {
		if other == from {
			continue
		}
		if !other.ordered && p.writes >= 0 {
			p.drain(other, other.size())
			other.order(true)
			p.drain(other, other.size()) // nothing tells of what came in between
			p.forget(other, other.told)
		}
		other.alone, other.aloneBytes = 0, 0
	}
	n := p.take(from, len(p.buffer))
	switch {
	case n == 0:
		p.forget(from, from.told) // what is told of an empty pipe is no write: see fetch
	case from.isAlone(n) && from.ordered:
		from.order(false)
	}
}

// take passes on one write to an ordered pipe, or what one read gives of another, but for a large write not more than limit bytes. It
// returns how many there were. A write of several pages is several packets, of which all but the last are full.
func (p *pumps) take(from *pipe, limit int) int {
	taken := 0
	for taken < limit {
		n := p.pass(from, limit-taken)
		taken += n
		if n != pageSize || !from.ordered {
			break
		}
	}
	return taken
}

// rest passes on what is in the pipes now. That is all that was written by processes that have ended. A process that could not be
// killed, or to which somebody gave the pipe, might go on for ever.
func (p *pumps) rest() {
	sizes, all := map[*pipe]int{}, 0
	for _, pipe := range p.pipes {
		sizes[pipe] = pipe.size()
		all += sizes[pipe]
	}
	for next := p.next(); next != nil && all > 0; next = p.next() {
		n := p.take(next, min(sizes[next], len(p.buffer)))
		sizes[next] -= n
		all -= n
	}
	for _, pipe := range p.pipes {
		p.drain(pipe, sizes[pipe])
	}
}

func (p *pumps) drain(from *pipe, size int) {
	for size > 0 {
		n := p.pass(from, min(size, len(p.buffer)))
		if n <= 0 {
			return
		}
		size -= n
	}
}

// pass passes on what one read gives, of at most limit bytes, and returns how many there were.
func (p *pumps) pass(from *pipe, limit int) int {
	n, err := unix.Read(from.out, p.buffer[:limit])
	if err == unix.EINTR {
		return p.pass(from, limit)
	}
	if n <= 0 {
		return 0
	}
	b := p.buffer[:n]
	if !from.broken {
		p.letRunAhead(from)
		from.broken = p.write(from.stream.To, b) != nil
	}
	p.tee.Lock()
	defer p.tee.Unlock()
	if !p.left {
		from.stream.Tee(b)
	}
	return n
}

// letRunAhead ends the order if nobody takes what the command has written: packets fill a pipe sooner, and it shall not wait for its
// reader.
func (p *pumps) letRunAhead(from *pipe) {
	if !from.ordered {
		return
	}
	ready, err := unix.Poll([]unix.PollFd{{Fd: int32(from.stream.To.Fd()), Events: unix.POLLOUT}}, int(slow.Milliseconds()))
	if ready > 0 || err != nil {
		return
	}
	for _, pipe := range p.pipes {
		pipe.order(false)
	}
}

// write writes to the descriptor itself: whether it blocks is up to whoever shares it, and may change at any time.
func (p *pumps) write(to *os.File, b []byte) error {
	fd := int(to.Fd())
	for len(b) > 0 {
		switch n, err := unix.Write(fd, b); {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1) // the next write tells what happened
		case err != nil:
			return err
		case n == 0:
			return io.ErrShortWrite
		default:
			b = b[n:]
			p.moved.Add(int64(n))
		}
	}
	return nil
}

// finish tells the pumps that all that matters is in the pipes.
func (p *pumps) finish() {
	_, _ = unix.Write(p.over, []byte{0, 0, 0, 0, 0, 0, 0, 1}) // any number but 0, whatever its byte order
}

// wait returns when the pumps have, or when they do not get on.
func (p *pumps) wait() {
	for moved := int64(-1); moved != p.moved.Load(); {
		moved = p.moved.Load()
		select {
		case <-p.done:
			return
		case <-time.After(stalled):
		}
	}
	p.tee.Lock()
	defer p.tee.Unlock()
	p.left = true
}
