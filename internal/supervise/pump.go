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
	// Tee is then shown the same bytes, which are valid during the call only. It is called from one goroutine for each stream,
	// and not after Run has returned. If it is nil, or if To is a terminal, the command writes to To directly.
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
	// pipeSize lets a command run ahead of a slow reader. It is the most that a user without privileges may have by default.
	pipeSize = 1 << 20
	// bufferSize is as much as is passed on at once.
	bufferSize = 64 << 10
	// stalled is how long To may refuse to take anything, when the command has ended, before what is left for it is dropped.
	stalled = 10 * time.Second
)

// pump carries what the command writes from a pipe to where it goes.
type pump struct {
	stream  Stream
	in, out *os.File     // the pipe; in is the command's end
	broken  bool         // To has failed for good
	moved   atomic.Int64 // bytes that To has taken
	done    chan struct{}

	tee  sync.Mutex // held during a call of Tee
	left bool       // Run does not wait any longer
}

func newPump(stream Stream) (*pump, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	_, _ = unix.FcntlInt(in.Fd(), unix.F_SETPIPE_SZ, pipeSize) // a smaller one works as well
	return &pump{stream: stream, in: in, out: out, done: make(chan struct{})}, nil
}

// run passes on what comes until the pipe ends, or finish is called.
func (p *pump) run() {
	defer close(p.done)
	defer p.out.Close()
	buffer := make([]byte, bufferSize)
	for {
		n, err := p.out.Read(buffer)
		if err == io.EOF {
			return
		}
		if err != nil {
			p.rest(buffer)
			return
		}
		p.pass(buffer[:n])
	}
}

// rest passes on what is in the pipe now. That is all that was written by processes that have ended. A process that could not
// be killed, or to which somebody gave the pipe, might go on for ever.
func (p *pump) rest(buffer []byte) {
	conn, err := p.out.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) {
		size, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ)
		for err == nil && size > 0 {
			var n int
			if n, err = unix.Read(int(fd), buffer[:min(size, len(buffer))]); n <= 0 {
				return
			}
			p.pass(buffer[:n])
			size -= n
		}
	})
}

func (p *pump) pass(b []byte) {
	if !p.broken {
		p.broken = p.write(b) != nil
	}
	p.tee.Lock()
	defer p.tee.Unlock()
	if !p.left {
		p.stream.Tee(b)
	}
}

// write writes to the descriptor itself: whether it blocks is up to whoever shares it, and may change at any time.
func (p *pump) write(b []byte) error {
	fd := int(p.stream.To.Fd())
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

// finish tells the pump that all that matters is in the pipe.
func (p *pump) finish() {
	_ = p.out.SetReadDeadline(time.Unix(0, 1)) // a pump that has returned has closed its pipe
}

// wait returns when the pump has, or when it does not get on.
func (p *pump) wait() {
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
