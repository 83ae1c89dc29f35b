//go:build linux

package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestExitCodeIsTheCommands(t *testing.T) {
	for script, want := range map[string]Result{
		"exit 0":        {},
		"exit 3":        {ExitCode: 3},
		"exit 255":      {ExitCode: 255},
		"kill -9 $$":    {ExitCode: 137, Signal: unix.SIGKILL},
		"kill -15 $$":   {ExitCode: 143, Signal: unix.SIGTERM},
		"kill -SEGV $$": {ExitCode: 139, Signal: unix.SIGSEGV},
		"kill -37 $$":   {ExitCode: 165, Signal: 37},
		// What a child of the command does is the command's affair.
		"sh -c 'exit 9'; exit 4": {ExitCode: 4},
	} {
		t.Run(script, func(t *testing.T) {
			for name, place := range supervisors {
				t.Run(name, func(t *testing.T) {
					got := run(t, settings{}, shell(script), place)
					if got.code != want.ExitCode || got.report.Result != want {
						t.Errorf("got %d, %+v, want %+v", got.code, got.report.Result, want)
					}
				})
			}
		})
	}
}

func TestQuickCommandsNeitherHangNorMixUpTheirExitCodes(t *testing.T) {
	const times = 100
	var want strings.Builder
	for i := range times {
		fmt.Fprintln(&want, i)
	}
	for name, place := range supervisors {
		t.Run(name, func(t *testing.T) {
			// The orphan ends with another code at about the same time.
			got := run(t, settings{Times: times}, shell("(sh -c 'exit 77' &); echo $0; exit $0"), place)
			if got.code != 0 || got.stdout != want.String() {
				t.Errorf("got %d and %q, %s", got.code, got.stdout, got.stderr)
			}
		})
	}
}

func TestOrphansAreReapedWhileTheCommandRuns(t *testing.T) {
	for name, place := range supervisors {
		t.Run(name, func(t *testing.T) {
			p := start(t, settings{}, shell("for i in 1 2 3 4 5 6 7 8 9; do (sh -c : & sh -c : &); done; echo ready; exec sleep 60"), place)
			p.line()
			eventually(t, "the command is the only child", func() bool { return len(descendants(p.Process.Pid)) == 1 })
			p.signal(unix.SIGTERM)
			if got := p.end(); got.code != 143 {
				t.Errorf("got %d", got.code)
			}
		})
	}
}

func TestWhatTheCommandLeavesBehindIsKilledAtOnce(t *testing.T) {
	for name, place := range supervisors {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			p := start(t, settings{Grace: time.Hour}, shell(`
			trap '' TERM HUP INT
			sleep 60 & setsid sleep 60 & (setsid setsid sleep 60 &)
			setsid sh -c '(sleep 60 & sleep 60 & setsid sleep 60); :' &
			exit 6`), place)
			if got := p.end(); got.code != 6 {
				t.Errorf("got %d", got.code)
			}
			if left := p.marked(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestAProcessThatKeepsForkingIsKilled(t *testing.T) {
	for name, place := range supervisors {
		t.Run(name, func(t *testing.T) {
			// Each process lives for a moment, and is not there any more when it could be killed.
			p := start(t, settings{}, perl(`exit 5 if fork; while (1) { my $child = fork; exit if $child; select undef, undef, undef, .0005 }`), place)
			if got := p.end(); got.code != 5 {
				t.Errorf("got %d", got.code)
			}
			if left := p.marked(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

const immortalVariable = "SUPERVISE_TEST_IMMORTAL"

// beImmortal makes this process root's, so that the supervisor of another user cannot kill it.
func beImmortal() {
	if err := unix.Setuid(0); err != nil {
		panic(err)
	}
	fmt.Println("immortal")
	time.Sleep(time.Hour) //nolint:forbidigo // it has nothing to do but to be there
}

func TestAProcessThatCannotBeKilledIsLeftBehind(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make a process that others cannot kill")
	}
	own, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "supervise") //nolint:usetesting // the other user has to be able to enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := filepath.Join(dir, "immortal")
	for _, err := range []error{
		os.Chmod(dir, 0o777), os.WriteFile(program, own, 0o755), os.Chmod(program, 0o755|os.ModeSetuid),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	p := start(t, settings{Grace: time.Hour}, shell(immortalVariable+"=1 "+program+" & wait"), func(cmd *exec.Cmd) {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	})
	p.line()
	began := time.Now()
	p.signal(unix.SIGTERM)
	// What is left holds the pipe of the command's output as well.
	if got := p.end(); got.code != 143 {
		t.Errorf("got %d, stderr %q", got.code, got.stderr)
	}
	if took := time.Since(began); took < unkillable {
		t.Errorf("took %v: it was not there", took)
	}
}

func TestDescendantsAreThoseOfTheProcess(t *testing.T) {
	p := start(t, settings{}, shell("sleep 60 & sh -c 'sleep 60 & sleep 60 & echo ready; wait' & wait"))
	p.line()
	var want []int
	for len(want) != 5 { // a process that is being executed has no mark for a moment
		want = slices.DeleteFunc(p.marked(), func(pid int) bool { return pid == p.Process.Pid })
	}
	got := descendants(p.Process.Pid)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
