//go:build linux

// Package supervise runs one command as the first process of a container has to, and passes its streams through. Linux' manual says
// what such a process has to do: pid_namespaces(7), signal(7), credentials(7), wait(2), pipe(7) and prctl(2),
// PR_SET_CHILD_SUBREAPER.
package supervise

import (
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Command is what to run.
type Command struct {
	// Args are the program and its arguments. The program is looked up in PATH, as execvp(3) does.
	Args []string
	// Grace is the time from the first SIGTERM, SIGINT or StopSignal that arrives to the SIGKILL of all that is left.
	Grace time.Duration
	// Stdin is what the command reads.
	Stdin *os.File
	// Stdout and Stderr are where its output goes.
	Stdout, Stderr Stream
	// StopSignal is a signal that tells to stop, beside those that always do; 0 for none. A container may have one of its own.
	StopSignal syscall.Signal
	// OnStop, if set, is called when the first signal that tells to stop has been forwarded. There may be little time left.
	OnStop func(syscall.Signal)
	// OnLateStop, if set, is called for each signal that tells to stop when the command has ended, also after Run has returned. It may be called
	// from another goroutine.
	OnLateStop func(syscall.Signal)
}

// isStop says whether a signal tells to stop.
func (c *Command) isStop(sig syscall.Signal) bool { return sig == c.StopSignal || tellsToStop(sig) }

// Result says how a command ended.
type Result struct {
	// ExitCode is the command's own, or 128 and the number of the signal that ended it.
	ExitCode int
	// Signal is the signal that ended the command; 0 if it exited by itself.
	Signal syscall.Signal
	// Stopped is the first signal that told this process to stop before the command had ended; 0 if none did. The command may have
	// ignored it, but it was disturbed.
	Stopped syscall.Signal
}

// unkillable is how long a process may outlive its SIGKILL before it is left behind.
const unkillable = 2 * time.Second

// supervisor handles processes in one goroutine. So it never signals the command after it has been reaped, when another process
// may have its number.
type supervisor struct {
	signals  chan os.Signal
	children chan os.Signal // SIGCHLD: one stands for any number of them
	pumps    *pumps

	pid     int
	ended   bool
	status  unix.WaitStatus
	stopped syscall.Signal
}

// Run runs the command to its end, and then ends what the command has left behind, as the kernel does when the first process
// of a container ends. All that any of them wrote has been passed on when Run returns. An error is a *StartError.
//
// Signals that arrive are forwarded to the command. They stay caught after Run has returned, so that none of them interrupts
// what the caller has left to do. The process must have no other children, and wait for none by itself.
func Run(cmd Command) (Result, error) { return newSupervisor().run(cmd) }

// newSupervisor returns a supervisor that has signals kept for the command, and orphans sent to this process.
func newSupervisor() *supervisor {
	s := &supervisor{signals: make(chan os.Signal, 2*len(forwarded)), children: make(chan os.Signal, 1)}
	signal.Notify(s.signals, forwarded...)
	signal.Notify(s.children, unix.SIGCHLD)
	if os.Getpid() != 1 {
		// Where it fails, orphans go to process 1 of the namespace, and are not killed at the end.
		_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	}
	return s
}

func (s *supervisor) run(cmd Command) (Result, error) {
	defer signal.Stop(s.children)
	if err := s.start(cmd); err != nil {
		return Result{}, err
	}
	s.supervise(cmd)
	if cmd.OnLateStop != nil {
		go s.hearLate(cmd)
	}
	s.killRest()
	if s.pumps != nil {
		s.pumps.finish()
		s.pumps.wait()
	}
	runtime.KeepAlive(cmd) // the files are used by their numbers
	return s.result(), nil
}

// supervise returns when the command has ended, or when its time is up.
func (s *supervisor) supervise(cmd Command) {
	var timeUp <-chan time.Time
	for !s.ended {
		select {
		case <-s.children:
			s.reap()
		case sig := <-s.signals:
			s.reap()
			signal := sig.(unix.Signal)
			if s.ended {
				s.late(cmd, signal) // the command had ended before the signal came
				return
			}
			_ = unix.Kill(s.pid, signal) // it fails for a command that has changed its user: nothing to be done
			if timeUp == nil && (signal == unix.SIGTERM || signal == unix.SIGINT || signal == cmd.StopSignal) {
				timeUp = time.After(cmd.Grace)
			}
			if s.stopped == 0 && cmd.isStop(signal) {
				s.stopped = signal
				if cmd.OnStop != nil {
					cmd.OnStop(signal)
				}
			}
		case <-timeUp:
			return
		}
	}
}

// hearLate listens to the signals that come when the command has ended.
func (s *supervisor) hearLate(cmd Command) {
	for sig := range s.signals {
		s.late(cmd, sig.(unix.Signal))
	}
}

func (s *supervisor) late(cmd Command, signal syscall.Signal) {
	if cmd.OnLateStop != nil && cmd.isStop(signal) {
		cmd.OnLateStop(signal)
	}
}

// reap collects the children that have ended, and says whether there are any left.
func (s *supervisor) reap() bool {
	for {
		var status unix.WaitStatus
		switch pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil); {
		case err == unix.EINTR:
		case err != nil:
			return false
		case pid == 0:
			return true
		case pid == s.pid:
			s.ended, s.status = true, status
		}
	}
}

// killRest kills what is left, time and again: a process may have forked where killAll had looked already.
func (s *supervisor) killRest() {
	if !s.reap() {
		return
	}
	killAll()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	giveUp := time.After(unkillable)
	for s.reap() {
		select {
		case <-s.children:
		case <-again.C:
			killAll()
		case <-giveUp:
			return
		}
	}
}

func (s *supervisor) result() Result {
	result := Result{Stopped: s.stopped}
	switch {
	case !s.ended: // not even SIGKILL got through to it yet
		result.Signal = unix.SIGKILL
	case s.status.Signaled():
		result.Signal = s.status.Signal()
	default:
		result.ExitCode = s.status.ExitStatus()
		return result
	}
	result.ExitCode = 128 + int(result.Signal)
	return result
}
