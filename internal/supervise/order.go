//go:build linux

package supervise

import (
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// listen makes each write send a signal, if there are several pipes and the kernel can do it.
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

// hears orders a pipe, and says whether a write to it sends its signal.
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

// willHear says whether a signal comes within a moment. The write is visible a little before its signal.
func (p *pumps) willHear() bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(p.writes), Events: unix.POLLIN}}, int(unheard.Milliseconds())) //nolint:gosec // a file descriptor
	return n > 0 || err != nil
}

// fetch reads the signals that have come, and returns how many writes are in the queue. A write that finds its pipe full sends a
// signal too. A pipe holds at most one write for each page, so signals beyond that are no writes. They are the latest ones of that
// pipe, since fetch runs before there is room again.
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
	case signal.Code <= 0: // a process sent it, not the kernel
		_ = unix.Kill(unix.Getpid(), unix.Signal(signal.Signo))
	case signal.Signo == uint32(unix.SIGIO): // the kernel's queue was full: some signals are lost
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

// forget removes the latest n writes to a pipe from the queue.
func (p *pumps) forget(of *pipe, n int) {
	for i := len(p.queue) - 1; i >= 0 && n > 0; i-- {
		if p.queue[i] == of {
			p.queue = slices.Delete(p.queue, i, i+1)
			of.told, n = of.told-1, n-1
		}
	}
}

// next returns the pipe of the earliest write that has not been passed on; nil if there is none.
func (p *pumps) next() *pipe {
	if p.fetch() == 0 {
		return nil
	}
	first := p.queue[0]
	p.queue = slices.Delete(p.queue, 0, 1)
	first.told--
	return first
}
