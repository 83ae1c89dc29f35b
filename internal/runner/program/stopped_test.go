//go:build linux

package program

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestATestThatIsToldToStopIsReportedAsStoppedWhateverItsExitCode(t *testing.T) {
	tests := map[string]struct {
		script string
		signal syscall.Signal
		flags  []string
		want   string
		code   int
	}{
		"it exits with 0":            {"trap 'exit 0' TERM", syscall.SIGTERM, nil, "SIGTERM", 0},
		"it exits with 3":            {"trap 'exit 3' TERM", syscall.SIGTERM, nil, "SIGTERM", 3},
		"it dies":                    {":", syscall.SIGTERM, nil, "SIGTERM", 143},
		"it says that all is well":   {"trap 'echo ok 1; echo 1..1; exit 0' TERM", syscall.SIGTERM, nil, "SIGTERM", 0},
		"it is interrupted":          {"trap 'exit 0' INT", syscall.SIGINT, nil, "SIGINT", 0},
		"its terminal is hung up":    {"trap 'exit 0' HUP", syscall.SIGHUP, nil, "SIGHUP", 0},
		"it is told to quit":         {"trap 'exit 0' QUIT", syscall.SIGQUIT, nil, "SIGQUIT", 0},
		"systemd's signal":           {"trap 'exit 0' 37", 37, nil, "signal 37", 0},
		"the container's own signal": {"trap 'exit 0' USR1", syscall.SIGUSR1, []string{"--stop-signal=SIGUSR1"}, "SIGUSR1", 0},
		"another program's message":  {"trap 'exit 0' USR1", syscall.SIGUSR1, nil, "", 0},
		"a terminal of another size": {"trap 'exit 0' WINCH", syscall.SIGWINCH, nil, "", 0},
		"it ignores that":            {"trap : TERM; trap 'exit 0' USR1; kill -TERM $PPID", syscall.SIGUSR1, nil, "SIGTERM", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRunner(t, test.script+"; : > $TESTRUN_RESULTS/begun; while :; do sleep 0.05; done", test.flags...)
			r.signalWhen(test.signal, "it has begun", r.hasBegun)
			got := r.end()
			if got.code != test.code || got.report == nil || got.report.Stopped != test.want || !got.report.Final {
				t.Errorf("exit code %d, report %+v, want %d, stopped by %q", got.code, got.report, test.code, test.want)
			}
		})
	}
}

func TestARunnerThatIsKilledAfterItsTestWasToldToStopHasReportedThat(t *testing.T) {
	r := startRunner(t, "trap : TERM; : > $TESTRUN_RESULTS/begun; while kill -0 $PPID; do sleep 0.05; done 2>/dev/null")
	r.signalWhen(syscall.SIGTERM, "it has begun", r.hasBegun)
	r.signalWhen(syscall.SIGKILL, "the stop is reported", func() bool { report := r.reported(); return report != nil && report.Stopped == "SIGTERM" })
	if got := r.end(); got.report.Final {
		t.Errorf("the report is final: %+v", got.report)
	}
}

// hasBegun says whether the script has made the file that says so.
func (r *running) hasBegun() bool {
	_, err := os.Stat(filepath.Join(r.resultsDir, "begun"))
	return err == nil
}

// What a test does to its own processes is its own affair.
func TestATestThatStopsItsOwnProcessesIsNotReportedAsStopped(t *testing.T) {
	for name, script := range map[string]string{
		"a child":           "sleep 60 & kill $!; wait; exit 0",
		"its process group": "trap 'exit 0' TERM; kill 0; wait",
		"itself":            "trap 'exit 0' TERM; kill $$; wait",
		"after its own end": "(sleep 60 &); exit 0",
	} {
		t.Run(name, func(t *testing.T) {
			if got := startRunner(t, script).end(); got.code != 0 || got.report.Stopped != "" {
				t.Errorf("exit code %d, report %+v", got.code, got.report)
			}
		})
	}
}
