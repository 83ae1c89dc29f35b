//go:build linux

package supervise

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

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
	// bufferSize is as much as is passed on at once.
	bufferSize = 64 << 10
	// stalled is how long To may refuse to take anything, when the command has ended, before what is left for it is dropped.
	stalled = 10 * time.Second
)

// pumps carry what the command writes from pipes to where it goes, in the order in which it was written: see pipe. One goroutine
// serves all of them.
type pumps struct {
	pipes []*pipe
	// ready is an epoll instance, edge-triggered: it tells of each write, in their order.
	ready  *os.File
	buffer []byte
	moved  atomic.Int64 // bytes that the streams have taken
	done   chan struct{}

	tee  sync.Mutex // held during a call of Tee
	left bool       // Run does not wait any longer
}

func newPumps(streams []Stream) (*pumps, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	_ = unix.SetNonblock(fd, true) // so that a goroutine that waits for it does not hold a thread
	p := &pumps{ready: os.NewFile(uintptr(fd), "epoll"), buffer: make([]byte, bufferSize), done: make(chan struct{})}
	for i, stream := range streams {
		made, err := newPipe(stream, len(streams) > 1)
		if err != nil {
			p.close()
			return nil, err
		}
		p.pipes = append(p.pipes, made)
		event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(i)}
		if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, made.out, &event); err != nil {
			p.close()
			return nil, err
		}
	}
	return p, nil
}

func (p *pumps) close() {
	for _, pipe := range p.pipes {
		pipe.close()
	}
	p.ready.Close()
}

// run passes on what comes until finish is called.
func (p *pumps) run() {
	defer close(p.done)
	defer p.close()
	conn, err := p.ready.SyscallConn()
	for err == nil {
		next := (*pipe)(nil)
		err = conn.Read(func(fd uintptr) bool {
			next = p.next(int(fd))
			return next != nil
		})
		if next != nil {
			p.carry(next)
		}
	}
	_ = conn.Control(func(fd uintptr) { p.rest(int(fd)) })
}

// next is the pipe whose turn it is; nil if all are empty.
func (p *pumps) next(ready int) *pipe {
	var events [1]unix.EpollEvent
	for {
		switch n, err := unix.EpollWait(ready, events[:], 0); {
		case err == unix.EINTR:
		case n != 1:
			return nil
		default:
			return p.pipes[events[0].Fd]
		}
	}
}

// carry passes on what is in the pipe. What another pipe held already goes first, if that is so large that its order is lost.
func (p *pumps) carry(from *pipe) {
	for _, other := range p.pipes {
		if other != from && other.isWide {
			p.drain(other, other.size())
			other.narrow()
		}
		if other != from {
			other.alone, other.aloneBytes = 0, 0
		}
	}
	n := p.pass(from, len(p.buffer))
	from.widenIfAlone(n)
	if from.isWide { // one read may not have emptied it, and nothing tells of that
		p.rearm(from)
	}
}

// rearm has the pipe's turn come again if there is something in it.
func (p *pumps) rearm(of *pipe) {
	for i, pipe := range p.pipes {
		if pipe == of {
			event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(i)}
			_ = unix.EpollCtl(int(p.ready.Fd()), unix.EPOLL_CTL_MOD, of.out, &event)
		}
	}
}

// rest passes on what is in the pipes now. That is all that was written by processes that have ended. A process that could not be
// killed, or to which somebody gave the pipe, might go on for ever.
func (p *pumps) rest(ready int) {
	sizes := map[*pipe]int{}
	for _, pipe := range p.pipes {
		sizes[pipe] = pipe.size()
	}
	for next := p.next(ready); next != nil; next = p.next(ready) {
		if n := p.pass(next, min(sizes[next], len(p.buffer))); n > 0 {
			sizes[next] -= n
		}
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

// letRunAhead widens the pipes if nobody takes what the command has written: it shall not wait for its reader.
func (p *pumps) letRunAhead(from *pipe) {
	if from.isWide {
		return
	}
	ready, err := unix.Poll([]unix.PollFd{{Fd: int32(from.stream.To.Fd()), Events: unix.POLLOUT}}, int(slow.Milliseconds()))
	if ready > 0 || err != nil {
		return
	}
	for _, pipe := range p.pipes {
		pipe.widen()
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
	_ = p.ready.SetReadDeadline(time.Unix(0, 1))
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
