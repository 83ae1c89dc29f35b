//go:build linux

package supervise

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pipe is what one stream of the command is written to.
//
// Two pipes keep the order of what is written to each, and not that between them. So each write stays apart in its pipe (pipe(7),
// "packet mode"), and sends a signal that names the pipe (fcntl(2), F_SETSIG). Real-time signals queue: their order is that of the
// writes, as on a terminal.
//
// That costs a page of the pipe and a signal for each write. A stream that writes much while the other is silent has no order to
// lose; its pipe is unordered, until the other one speaks.
//
// The pipe is large in any case. A program that has made its end nonblocking, as Node.js does, has its writes refused where a pipe
// is full, and loses what it could not write when it exits.
type pipe struct {
	stream  Stream
	in, out int  // in is the command's end
	broken  bool // To has failed for good
	ordered bool
	told    int // how many writes are in the queue of the pumps
	// alone and aloneBytes count what came since another pipe had something.
	alone, aloneBytes int
}

const (
	// pipeSize lets a command run ahead of a slow reader. It is the most that a user without privileges may have by default.
	pipeSize = 1 << 20
	// Writes and bytes in a row after which a pipe is unordered. Until then they take some hundredths of a second longer.
	aloneWrites = 4096
	aloneSize   = 1 << 20
	// writeSignal tells of a write. It is sent to the one thread that has it blocked: sent by anybody else it is like any other.
	writeSignal = unix.Signal(63)
)

// pageSize is the most that a packet holds, and each takes up a page.
var pageSize = os.Getpagesize()

func newPipe(stream Stream) (*pipe, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	p := &pipe{stream: stream, out: fds[0], in: fds[1]}
	if err := unix.SetNonblock(p.out, true); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *pipe) close() {
	_ = unix.Close(p.in)
	_ = unix.Close(p.out)
}

// enlarge says whether the pipe has its full size now. One of another size works as well, but has no room for packets.
func (p *pipe) enlarge() bool {
	_, err := unix.FcntlInt(uintptr(p.out), unix.F_SETPIPE_SZ, pipeSize)
	return err == nil
}

// signals says whether each write of an ordered pipe will send its signal to a thread.
func (p *pipe) signals(thread int) bool {
	owner := struct{ kind, id int32 }{0 /* F_OWNER_TID */, int32(thread)} //nolint:gosec // the number of a thread
	_, _, err := unix.Syscall(unix.SYS_FCNTL, uintptr(p.out), unix.F_SETOWN_EX, uintptr(unsafe.Pointer(&owner)))
	if err != 0 {
		return false
	}
	_, failed := unix.FcntlInt(uintptr(p.out), unix.F_SETSIG, int(writeSignal))
	return failed == nil
}

// size is how much is in the pipe.
func (p *pipe) size() int {
	size, err := unix.IoctlGetInt(p.out, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return size
}

// order begins or ends to keep writes apart, and to tell of each.
func (p *pipe) order(on bool) {
	p.ordered = on
	setFlag(p.out, unix.O_ASYNC, on)
	// The command may change flags of its end at the same time, to make it nonblocking or to take that back: then it is left alone.
	if flags, err := unix.FcntlInt(uintptr(p.in), unix.F_GETFL, 0); err == nil && flags&unix.O_NONBLOCK == 0 {
		setFlag(p.in, unix.O_DIRECT, on)
	}
}

func setFlag(fd, flag int, on bool) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return
	}
	flags &^= flag
	if on {
		flags |= flag
	}
	_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags)
}

// isAlone counts a write of n bytes, and says whether there have been many with none to another pipe.
func (p *pipe) isAlone(n int) bool {
	p.alone, p.aloneBytes = p.alone+1, p.aloneBytes+n
	return p.alone >= aloneWrites || p.aloneBytes >= aloneSize
}
