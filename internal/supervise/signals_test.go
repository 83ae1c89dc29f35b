//go:build linux

package supervise

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestSignalsAreForwardedToTheCommandAlone(t *testing.T) {
	for name, place := range supervisors {
		t.Run(name, func(t *testing.T) {
			for _, sig := range forwarded {
				sig := sig.(unix.Signal)
				if sig > 37 { // one after the other would be the same
					break
				}
				name := strings.TrimPrefix(unix.SignalName(sig), "SIG")
				if name == "" {
					name = map[unix.Signal]string{35: "NUM35", 36: "NUM36", 37: "NUM37"}[sig]
				}
				t.Run(name, func(t *testing.T) {
					p := start(t, settings{Grace: time.Hour}, perl(`
					$| = 1;
					my $name = shift;
					my $command = $$;
					my $came = 0;
					$SIG{$name} = sub { $came = 1; print $$ == $command ? "command\n" : "child\n" };
					if (!fork) { sleep 1 while 1 }
					print "ready\n";
					select undef, undef, undef, 0.02 until $came;
					select undef, undef, undef, 0.02;
					exit 7`, name), place)
					p.line()
					p.signal(sig)
					if got := p.end(); got.code != 7 || got.stdout != "command\n" {
						t.Errorf("got %d, %q, %q", got.code, got.stdout, got.stderr)
					}
				})
			}
		})
	}
}

func TestAStopThatComesWhenTheCommandHasEndedIsTold(t *testing.T) {
	for name, place := range supervisors {
		t.Run(name, func(t *testing.T) {
			p := start(t, settings{Grace: time.Hour, Linger: true}, shell("echo out; exit 3"), place)
			for line := ""; line != "over"; {
				line = p.line()
			}
			p.signal(unix.SIGUSR1) // no stop
			p.signal(unix.SIGTERM)
			if got := p.end(); got.code != 3 || got.stdout != "SIGTERM\n" || got.report.Result.Stopped != 0 {
				t.Errorf("got %d, %q, stopped by %d", got.code, got.stdout, got.report.Result.Stopped)
			}
		})
	}
}

func TestSIGTERMLeavesTheCommandItsOwnExitCode(t *testing.T) {
	for name, place := range supervisors {
		t.Run(name, func(t *testing.T) {
			p := start(t, settings{Grace: time.Hour}, shell("trap 'echo bye; exit 9' TERM; echo ready; while :; do sleep 0.01; done"), place)
			p.line()
			p.signal(unix.SIGTERM)
			if got := p.end(); got.code != 9 || got.stdout != "bye\n" {
				t.Errorf("got %d, %q", got.code, got.stdout)
			}
		})
	}
}

func TestAllIsKilledWhenTheGracePeriodIsOver(t *testing.T) {
	const grace = 300 * time.Millisecond
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGINT} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			for name, place := range supervisors {
				t.Run(name, func(t *testing.T) {
					p := start(t, settings{Grace: grace}, shell(`
					trap '' TERM INT
					(setsid sleep 60 &) ; setsid sh -c 'sleep 60 & sleep 60' &
					echo ready
					while :; do echo alive; sleep 0.01; done`), place)
					p.line()
					began := time.Now()
					go func() { // only the first one counts
						for p.Process.Signal(sig) == nil {
							<-time.After(50 * time.Millisecond)
						}
					}()
					got := p.end()
					if got.code != 137 || got.report.Result.Signal != unix.SIGKILL {
						t.Errorf("got %d, %+v", got.code, got.report)
					}
					if took := time.Since(began); took < grace || took > 20*time.Second {
						t.Errorf("took %v", took)
					}
					if left := p.marked(); len(left) > 0 {
						t.Errorf("left: %v", left)
					}
				})
			}
		})
	}
}

func TestOtherSignalsDoNotLimitTheTime(t *testing.T) {
	p := start(t, settings{}, perl(`$SIG{$_} = sub {} for qw(HUP QUIT USR1); $| = 1; print "ready\n"; sleep 1 for 1 .. 2; exit 3`))
	p.line()
	for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1} {
		p.signal(sig)
	}
	if got := p.end(); got.code != 3 {
		t.Errorf("got %d", got.code)
	}
}

func TestASignalThatArrivesBeforeTheCommandIsStartedReachesIt(t *testing.T) {
	for name, place := range supervisors {
		t.Run(name, func(t *testing.T) {
			if got := run(t, settings{Grace: time.Hour, Early: unix.SIGTERM}, []string{"sleep", "60"}, place); got.code != 143 || got.report.Result.Stopped != unix.SIGTERM {
				t.Errorf("got %d, %+v", got.code, got.report.Result)
			}
		})
	}
}

func TestAScriptMaySignalItsGroup(t *testing.T) {
	for name, place := range supervisors {
		t.Run(name, func(t *testing.T) {
			got := run(t, settings{}, shell("trap 'sleep 0.3; exit 8' TERM; sleep 60 & kill 0; wait"), place, func(cmd *exec.Cmd) {
				cmd.SysProcAttr.Setpgid = true // if it goes wrong, this process is not hit
			})
			if got.code != 8 {
				t.Errorf("got %d", got.code)
			}
		})
	}
}

func TestSignalsThatWereIgnoredAreNotIgnoredInTheCommand(t *testing.T) {
	// A shell passes on what it ignores.
	exe := func(cmd *exec.Cmd) {
		cmd.Args = append([]string{"/bin/sh", "-c", `trap '' HUP INT TERM TSTP PIPE CHLD USR1; exec /proc/$PPID/exe "$@"`, "sh"}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
	}
	got := run(t, settings{}, []string{"grep", "Sig[BI]", "/proc/self/status"}, exe)
	// 32 to 34 are those of the C library: Go leaves them as whoever started the tests has them.
	const notOurs = 1<<31 | 1<<32 | 1<<33
	var blocked, ignored uint64
	if _, err := fmt.Sscanf(got.stdout, "SigBlk:\t%x\nSigIgn:\t%x\n", &blocked, &ignored); err != nil || (blocked|ignored)&^notOurs != 0 {
		t.Errorf("got %q (%v)", got.stdout, err)
	}
}
