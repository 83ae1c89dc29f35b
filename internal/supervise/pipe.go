//go:build linux

package supervise

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pipe is what the command writes one of its streams to.
//
// Each of two pipes keeps its own order, but nothing says which of them was written to first. So each write stays apart in its
// pipe (pipe(7), "packet mode"), and sends a signal that names the pipe (fcntl(2), F_SETSIG). Real-time signals queue, so they
// come in the order of the writes, as on a terminal.
//
// That costs a page of the pipe and a signal for each write. While only one stream writes, there is no order to lose. Its pipe is
// unordered then, until the other stream writes again.
//
// The pipe is always large. If a program makes its end nonblocking, as Node.js does, a full pipe refuses its writes, and the
// program loses them when it exits.
type pipe struct {
	stream  Stream
	in, out int  // in is the command's end
	broken  bool // To has failed for good
	ordered bool
	told    int // how many of its writes are in the queue of the pumps
	// alone and aloneBytes count writes and bytes since another pipe had something.
	alone, aloneBytes int
}

const (
	// pipeSize lets a command run ahead of a slow reader. By default an unprivileged user may not have more.
	pipeSize = 1 << 20
	// A pipe becomes unordered after so many writes or bytes in a row. Keeping their order costs some hundredths of a second.
	aloneWrites = 4096
	aloneSize   = 1 << 20
	// writeSignal is the signal of a write. The kernel sends it to the one thread that blocks it. If a process sends it, it is
	// forwarded like any other.
	writeSignal = unix.Signal(63)
)

// pageSize is the size of the largest packet. Each packet takes up a page.
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

// enlarge says whether the pipe has its full size now. A smaller one works too, but has no room for packets.
func (p *pipe) enlarge() bool {
	_, err := unix.FcntlInt(uintptr(p.out), unix.F_SETPIPE_SZ, pipeSize)
	return err == nil
}

// signals makes each write of an ordered pipe send its signal to a thread, and says whether that worked.
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

// order says whether the pipe keeps writes apart and each of them sends a signal.
func (p *pipe) order(on bool) {
	p.ordered = on
	setFlag(p.out, unix.O_ASYNC, on)
	// The command may be changing the flags of its end at the same time. If it has made its end nonblocking, leave that alone.
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

// isAlone counts a write of n bytes, and says whether there were many without one to another pipe.
func (p *pipe) isAlone(n int) bool {
	p.alone, p.aloneBytes = p.alone+1, p.aloneBytes+n
	return p.alone >= aloneWrites || p.aloneBytes >= aloneSize
}
