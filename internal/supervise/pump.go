//go:build linux

package supervise

import (
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Stream says where an output of the command goes.
type Stream struct {
	// To receives every byte, unchanged, as soon as it comes. If To fails for good, the command can still write.
	To *os.File
	// Tee gets the same bytes after To. They are valid only during the call. There is one call at a time, and none after Run has
	// returned. If Tee is nil, or if To is a terminal, the command writes to To directly.
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
	// slow is how long To may accept nothing. After that the command may run ahead, and the order of its streams is lost.
	slow = 100 * time.Millisecond
	// unheard is how long a write may be in an ordered pipe before its signal comes.
	unheard = 20 * time.Millisecond
	// bufferSize is how much is passed on at once, in bytes.
	bufferSize = 64 << 10
	// stalled is how long To may accept nothing after the command has ended. After that the rest is dropped.
	stalled = 10 * time.Second
)

// pumps pass on what the command writes to its pipes, in the order in which it was written: see pipe. One thread does it all.
type pumps struct {
	pipes []*pipe
	// writes is a signalfd with a signal for each write, in the order of the writes. It is -1 if there is only one stream, or if the
	// kernel cannot do that. Then no pipe is ever ordered.
	writes int
	// queue has the pipe of each write whose signal has come and that has not been passed on.
	queue []*pipe
	// over is an eventfd that ends the loop.
	over   int
	buffer []byte
	moved  atomic.Int64 // bytes that were written to the streams
	done   chan struct{}

	tee  sync.Mutex // held during a call of Tee
	left bool       // Run no longer waits
}

// newPumps starts pumps.
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

// run passes on what comes until finish is called. It closes ready when it has begun.
func (p *pumps) run(ready chan<- struct{}) {
	runtime.LockOSThread() // and never unlock: no other goroutine may get this thread's signals
	defer close(p.done)
	defer p.close()
	p.listen()
	close(ready)
	for p.await() {
		for range p.fetch() { // not until none is left: finish may have been called
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

// await waits. It returns true when there is something to pass on, and false when finish has been called. A signal wakes it too: one that
// comes after its write was passed on has to be forgotten before the next write, or it would be taken for that one's.
func (p *pumps) await() bool {
	fds := []unix.PollFd{{Fd: int32(p.over), Events: unix.POLLIN}} //nolint:gosec // file descriptors
	for _, pipe := range p.pipes {
		fds = append(fds, unix.PollFd{Fd: int32(pipe.out), Events: unix.POLLIN}) //nolint:gosec // file descriptors
	}
	if p.writes >= 0 {
		fds = append(fds, unix.PollFd{Fd: int32(p.writes), Events: unix.POLLIN}) //nolint:gosec // a file descriptor
	}
	for {
		if n, err := unix.Poll(fds, -1); n > 0 && err == nil {
			return fds[0].Revents == 0
		}
	}
}

// carry passes on one write, or what is in the pipe if it is not ordered. If another pipe is not ordered, what it holds goes first,
// since its order is lost; from then on that pipe is ordered.
func (p *pumps) carry(from *pipe) {
	for _, other := range p.pipes {
		if other == from {
			continue
		}
		if !other.ordered && p.writes >= 0 {
			p.drain(other, other.size())
			other.order(true)
			p.drain(other, other.size()) // what came in between sent no signal
			p.forget(other, other.told)
		}
		other.alone, other.aloneBytes = 0, 0
	}
	n := p.take(from, len(p.buffer))
	switch {
	case n == 0:
		p.forget(from, from.told) // the pipe is empty, so these were no writes: see fetch
	case from.isAlone(n) && from.ordered:
		from.order(false)
	}
}

// take passes on one write of an ordered pipe, or one read of another pipe. It passes on about limit bytes at most, and returns
// how many. A write of several pages is several packets, and all but the last are full.
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

// rest passes on what is in the pipes now. That includes everything from processes that have ended. It does not wait for more: a
// process that could not be killed, or that somebody gave the pipe to, might write for ever.
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

// pass passes on one read of at most limit bytes, and returns how many it was.
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

// letRunAhead gives up the order if To accepts nothing. Packets fill a pipe sooner, and the command should not have to wait for its
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

// write uses the descriptor directly. Others share it, and can make it blocking or nonblocking at any time.
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

// finish tells the pumps to pass on what is in the pipes and to end.
func (p *pumps) finish() {
	_, _ = unix.Write(p.over, []byte{0, 0, 0, 0, 0, 0, 0, 1}) // any number but 0, whatever its byte order
}

// wait returns when the pumps have ended, or when they are stalled.
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
