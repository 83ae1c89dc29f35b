//go:build linux

package supervise

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// forwarded are the signals that processes send to each other. It leaves out those that report on the process itself (SIGSEGV,
// SIGPIPE, SIGCHLD…), and SIGURG, with which Go's scheduler interrupts its threads.
var forwarded = append([]os.Signal{
	unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGABRT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGTERM,
	unix.SIGCONT, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGWINCH, unix.SIGIO, unix.SIGPWR,
}, realTime()...)

// firstRealTime is the first real-time signal that is free: the C libraries keep three for themselves.
const firstRealTime unix.Signal = 35

// realTime returns the real-time signals that are free.
func realTime() []os.Signal {
	var signals []os.Signal
	for sig := firstRealTime; sig <= 64; sig++ {
		signals = append(signals, sig)
	}
	return signals
}

// tellsToStop says whether the signal asks a program to end. The sender is not known, so a test that sends one to process 1 counts as
// told to stop. SIGUSR1, SIGUSR2, SIGALRM, SIGIO and SIGWINCH do not count: programs use them for other things.
func tellsToStop(sig unix.Signal) bool {
	switch sig {
	case unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGABRT, unix.SIGTERM, unix.SIGPWR:
		return true
	default:
		return sig >= firstRealTime // systemd, for one, is stopped by SIGRTMIN+3
	}
}

// killAll kills every process but this one, as far as it may.
func killAll() {
	if os.Getpid() == 1 {
		// The namespace is the container's own: all that is in it belongs to it.
		_ = unix.Kill(-1, unix.SIGKILL)
		return
	}
	for _, pid := range descendants(os.Getpid()) {
		_ = unix.Kill(pid, unix.SIGKILL) // it may have ended by now
	}
}

// descendants returns the processes below the given one, as /proc shows them.
func descendants(pid int) []int {
	children := make(map[int][]int)
	for _, child := range processes() {
		if parent, ok := parentOf(child); ok {
			children[parent] = append(children[parent], child)
		}
	}
	found := children[pid]
	delete(children, pid)
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i]]...)
		// Processes come and go while this reads. Visit each only once, whatever its parent seems to be.
		delete(children, found[i])
	}
	return found
}

func processes() []int {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1) // as many as can be read
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// parentOf reads proc_pid_stat(5). The second field, in parentheses, is a name that may hold anything, parentheses as well.
func parentOf(pid int) (int, bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false
	}
	text := string(stat)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return 0, false
	}
	parent, err := strconv.Atoi(fields[1])
	return parent, err == nil
}
