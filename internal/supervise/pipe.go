//go:build linux

package supervise

import (
	"os"

	"golang.org/x/sys/unix"
)

// pipe is what one stream of the command is written to.
//
// Two pipes keep the order of what is written to each, and not that between them. So a pipe is narrow at first: it holds one write
// (pipe(7), "packet mode", and a single page), and the next write to it waits until that one has been passed on. There is never more
// than one write in each, and epoll tells which came first: the order is that of the writes, as on a terminal.
//
// That costs two changes of the process for each write. A stream that writes much while the other is silent has no order to
// lose; its pipe is widened, until the other one speaks.
type pipe struct {
	stream  Stream
	in, out int  // in is the command's end
	broken  bool // To has failed for good
	isWide  bool
	// mustBeWide says that the pipe stays wide: there is one stream only, the kernel has no packet mode, or the command has made its
	// end nonblocking. Who does that, or shares it, may fail where a pipe is full.
	mustBeWide bool
	// alone and aloneBytes count what came since another pipe had something.
	alone, aloneBytes int
}

const (
	// wideSize lets a command run ahead of a slow reader. It is the most that a user without privileges may have by default.
	wideSize = 1 << 20
	// Writes and bytes in a row after which a pipe is widened. Until then they take some hundredths of a second longer.
	aloneWrites = 4096
	aloneSize   = 1 << 20
)

func newPipe(stream Stream, ordered bool) (*pipe, error) {
	var fds [2]int
	p := &pipe{stream: stream}
	if !ordered || unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_DIRECT) != nil {
		p.isWide, p.mustBeWide = true, true
		if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
			return nil, err
		}
	}
	p.out, p.in = fds[0], fds[1]
	if err := unix.SetNonblock(p.out, true); err != nil {
		p.close()
		return nil, err
	}
	if p.isWide {
		p.resize(wideSize)
	} else if !p.resize(os.Getpagesize()) {
		p.widen()
		p.mustBeWide = true
	}
	return p, nil
}

func (p *pipe) close() {
	_ = unix.Close(p.in)
	_ = unix.Close(p.out)
}

// resize says whether the pipe has that size now. A wide one of another size works as well.
func (p *pipe) resize(size int) bool {
	_, err := unix.FcntlInt(uintptr(p.out), unix.F_SETPIPE_SZ, size)
	return err == nil
}

// size is how much is in the pipe.
func (p *pipe) size() int {
	size, err := unix.IoctlGetInt(p.out, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return size
}

// widenIfAlone counts a write of n bytes.
func (p *pipe) widenIfAlone(n int) {
	if p.isWide {
		return
	}
	p.alone, p.aloneBytes = p.alone+1, p.aloneBytes+n
	flags, err := unix.FcntlInt(uintptr(p.in), unix.F_GETFL, 0)
	if err == nil && flags&unix.O_NONBLOCK != 0 {
		p.isWide, p.mustBeWide = true, true // its flags are left alone: the command may change them at the same time
		p.resize(wideSize)
		return
	}
	if p.alone >= aloneWrites || p.aloneBytes >= aloneSize {
		p.widen()
	}
}

// widen lets the pipe hold many writes, which may become one.
func (p *pipe) widen() {
	p.isWide = true
	p.resize(wideSize)
	p.setPackets(false)
}

// narrow makes the pipe hold one write again, if it is empty.
func (p *pipe) narrow() {
	if p.mustBeWide {
		return
	}
	p.setPackets(true)
	if p.resize(os.Getpagesize()) {
		p.isWide = false
	} else {
		p.setPackets(false)
	}
}

func (p *pipe) setPackets(on bool) {
	flags, err := unix.FcntlInt(uintptr(p.in), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK != 0 {
		return
	}
	flags &^= unix.O_DIRECT
	if on {
		flags |= unix.O_DIRECT
	}
	_, _ = unix.FcntlInt(uintptr(p.in), unix.F_SETFL, flags)
}
