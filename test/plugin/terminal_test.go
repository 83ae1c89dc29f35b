package plugin

import (
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

// session is a command in a terminal of 100 columns and 24 lines.
type session struct {
	*person
	file  io.ReadWriteCloser
	cmd   *exec.Cmd
	mutex sync.Mutex
	all   strings.Builder
	ended chan struct{}
}

func (p *person) inTerminal(args ...string) *session {
	p.T.Helper()
	cmd := p.command(p.Ctx, args...)
	cmd.Env = append(cmd.Env, "TERM=xterm")
	cmd.Env = append(cmd.Env, p.also...)
	file, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 100})
	p.Must(err)
	s := &session{person: p, file: file, cmd: cmd, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		buffer := make([]byte, 4096)
		for {
			n, err := file.Read(buffer)
			s.mutex.Lock()
			s.all.Write(buffer[:n])
			s.mutex.Unlock()
			if err != nil {
				return
			}
		}
	}()
	p.T.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = file.Close()
	})
	return s
}

func (s *session) seen() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.all.String()
}

// screen is what was drawn last.
func (s *session) screen() string {
	seen := s.seen()
	return seen[max(strings.LastIndex(seen, "\x1b[H"), 0):]
}

func (s *session) waitFor(what string, words ...string) {
	s.T.Helper()
	s.WaitFor(what, func() bool {
		for _, word := range words {
			if !strings.Contains(s.screen(), word) {
				return false
			}
		}
		return true
	})
}

// interrupt presses Ctrl-C, and waits for the end.
func (s *session) interrupt() (code int) {
	s.T.Helper()
	_, err := s.file.Write([]byte{3})
	s.Must(err)
	return s.wait()
}

func (s *session) wait() (code int) {
	s.T.Helper()
	<-s.ended
	_ = s.cmd.Wait() // its exit code says how it ended
	return s.cmd.ProcessState.ExitCode()
}

func TestALiveScreenShowsRunsAsTheyChangeAndEndsWithCtrlC(t *testing.T) {
	w := withOperator(t)
	ada := w.developer()
	s := ada.inTerminal("watch")
	s.waitFor("the screen says that there is nothing", "Runs of namespace "+w.Namespace, "no runs yet")
	ada.types("run", "soak", "--name=endless").expect(t, 0)
	s.waitFor("the run is in progress", "1 InProgress", "endless", "\x1b[34mInProgress\x1b[0m")
	ada.types("run", "checkout", "--name=bad", "--wait").expect(t, 1)
	s.waitFor("the other one has failed", "1 InProgress, 1 Failed", "\x1b[31mFailed\x1b[0m")
	if screen := s.screen(); strings.Index(screen, "endless") > strings.Index(screen, "bad ") {
		t.Errorf("the run in progress is not first:\n%s", screen)
	}
	if code := s.interrupt(); code != 130 {
		t.Errorf("Ctrl-C ended it with %d, want 130", code)
	}
	seen := s.seen()
	if strings.Count(seen, "\x1b[?1049h") != 1 || strings.Count(seen, "\x1b[?1049l") != 1 || strings.Count(seen, "\x1b[?25h") != 1 {
		t.Errorf("the terminal is not as it was:\n%q", seen)
	}
	if after := seen[strings.LastIndex(seen, "\x1b[?1049l"):]; !strings.Contains(after, "endless") || !strings.Contains(after, "bad") {
		t.Errorf("what was shown last is not left behind:\n%q", after)
	}
	if run := w.Run("endless"); run.Status.Phase != v1alpha1.PhaseInProgress || run.Spec.Cancel != nil {
		t.Errorf("Ctrl-C did something to the run: %+v", run.Status)
	}
}

func TestARunThatIsNotSelectedAnyMoreIsNotTakenForDeleted(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"first", "second"} {
		run := builders.TestRun(name).Build()
		run.Labels = map[string]string{"team": "shop"}
		w.Create(run)
	}
	s := w.developer().inTerminal("watch", "-l", "team=shop")
	s.waitFor("both runs are shown", "first", "second")
	changed := w.Run("first")
	changed.Labels["team"] = "pay"
	w.Must(w.Client.Update(w.Ctx, changed))
	s.WaitFor("the run leaves the screen", func() bool { return !strings.Contains(s.screen(), "first") && strings.Contains(s.screen(), "second") })
	if strings.Contains(s.seen(), "gone") {
		t.Errorf("a run that exists was shown as gone:\n%s", s.seen())
	}
	w.Must(w.Client.Delete(w.Ctx, w.Run("second")))
	s.waitFor("a run that is deleted is shown as gone", "second", "gone")
	s.interrupt()
}

func TestWatchingNamedRunsEndsWithThem(t *testing.T) {
	w := withOperator(t)
	ada := w.developer()
	ada.types("run", "checkout", "--name=one", "-p", "BROWSER=chromium").expect(t, 0)
	s := ada.inTerminal("watch", "one")
	if code := s.wait(); code != 0 || !strings.Contains(s.seen(), "Passed") {
		t.Errorf("it ended with %d:\n%q", code, s.seen())
	}
}

func TestWithoutATerminalEachChangeIsALine(t *testing.T) {
	w := withOperator(t)
	ada := w.developer()
	ada.types("run", "checkout", "--name=one", "-p", "BROWSER=chromium").expect(t, 0)
	watched := ada.types("watch", "one").expect(t, 0, "one: Passed, 2/3 cases passed")
	if strings.Contains(watched.out, "\x1b") {
		t.Errorf("it moves a cursor that is not there: %q", watched.out)
	}
}

func TestCtrlCEndsTheWaitingAndNotTheRun(t *testing.T) {
	for _, how := range []string{"--wait", "--follow"} {
		t.Run(how, func(t *testing.T) {
			w := withOperator(t)
			s := w.developer().inTerminal("run", "soak", "--name=endless", how)
			w.WaitFor("the run exists", func() bool { return strings.Contains(s.seen(), "endless created") })
			w.WaitForInProgress("endless")
			if code := s.interrupt(); code != 130 {
				t.Errorf("Ctrl-C ended it with %d, want 130", code)
			}
			for _, word := range []string{"the run goes on", "kubectl testrun wait endless", "kubectl testrun cancel endless"} {
				if !strings.Contains(s.seen(), word) {
					t.Errorf("it says\n%s\nwant %q in it", s.seen(), word)
				}
			}
			if run := w.Run("endless"); run.Status.Phase != v1alpha1.PhaseInProgress || run.Spec.Cancel != nil {
				t.Errorf("Ctrl-C did something to the run: %+v", run.Status)
			}
		})
	}
}

// A test that names its cases so as to move the cursor shows what it does.
func TestWhatATestSaysMovesNoCursor(t *testing.T) {
	w := newWorld(t)
	ada := w.developer()
	w.harmful("harmful")
	s := ada.inTerminal("results", "harmful")
	if code := s.wait(); code != 0 || strings.Contains(s.seen(), "\x1b[2J") || !strings.Contains(s.seen(), `\u001b[2J`) {
		t.Errorf("it ended with %d:\n%q", code, s.seen())
	}
}

// A test prints colors, and whatever else it likes.
func TestTheOutputOfATestCommandsNoTerminal(t *testing.T) {
	w := withOperator(t)
	ada := w.developer().withArchive()
	ada.types("run", "paint", "--name=first", "--wait").expect(t, 0)
	w.waitForArchived("first")
	s := ada.inTerminal("logs", "first")
	if code := s.wait(); code != 0 || !strings.Contains(s.seen(), "\x1b[32mgreen\x1b[0m "+`\u001b[2Jcleared`) {
		t.Errorf("it ended with %d:\n%q", code, s.seen())
	}
	if piped := ada.types("logs", "first").expect(t, 0); piped.out != painted {
		t.Errorf("elsewhere it prints %q, want what the test printed", piped.out)
	}
}

func TestColorsAreWrittenToTerminalsAndOnlyThere(t *testing.T) {
	w := withOperator(t)
	ada := w.developer()
	const failed = "bad: \x1b[31mFailed\x1b[0m"
	s := ada.inTerminal("run", "checkout", "--name=bad", "--follow")
	if code := s.wait(); code != 1 || !strings.Contains(s.seen(), failed) || strings.Contains(s.seen(), `\u001b`) {
		t.Errorf("it ended with %d, want 1 and %q:\n%q", code, failed, s.seen())
	}
	s = ada.inTerminal("wait", "bad")
	_ = s.wait()
	if !strings.Contains(s.seen(), failed) {
		t.Errorf("wait says %q, want %q", s.seen(), failed)
	}
	plain := *ada
	plain.also = []string{"NO_COLOR=1"}
	for _, args := range []string{"wait bad", "list", "results bad", "why bad", "watch bad"} {
		s := plain.inTerminal(strings.Fields(args)...)
		_ = s.wait()
		if strings.Contains(s.seen(), "\x1b[3") || !strings.Contains(s.seen(), "Failed") {
			t.Errorf("with NO_COLOR %s writes %q", args, s.seen())
		}
	}
}
