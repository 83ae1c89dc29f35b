//go:build linux

package program

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/internal/runner"
)

// asRunner makes the test binary the runner, and withToken names its token's file.
const (
	asRunner  = "RUNNER_TEST_AS_RUNNER"
	withToken = "RUNNER_TEST_TOKEN"
)

// TestMain makes the test binary the runner itself, or a test that reports results, when a test starts it as that.
func TestMain(m *testing.M) {
	if os.Getenv(asRunner) != "" {
		os.Unsetenv(asRunner)
		if file := os.Getenv(withToken); file != "" {
			os.Unsetenv(withToken)
			tokenFile = file
		}
		os.Exit(Main(os.Args[1:]))
	}
	if format := os.Getenv(asGenerator); format != "" {
		flag.Parse()
		if err := generate(format, *size); err != nil {
			panic(err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// ended is what a runner left.
type ended struct {
	code           int
	stdout, stderr []byte
	report         *results.Report
}

// runner is one that has been started on a shell script.
type running struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	resultsDir     string
	reportFile     string
	tokenFile      string
}

func startRunner(t *testing.T, script string, flags ...string) *running {
	t.Helper()
	dir := t.TempDir()
	r := &running{t: t, resultsDir: filepath.Join(dir, "results"), reportFile: filepath.Join(dir, "report")}
	r.start(script, flags...)
	return r
}

func (r *running) start(script string, flags ...string) {
	r.t.Helper()
	args := append([]string{"run", "--report=" + r.reportFile}, flags...)
	r.cmd = exec.CommandContext(r.t.Context(), os.Args[0], append(args, "--", "sh", "-c", script)...)
	r.cmd.Env = append(os.Environ(), asRunner+"=1", runner.EnvResults+"="+r.resultsDir, withToken+"="+r.tokenFile)
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
	r.cmd.WaitDelay = 20 * time.Second // whoever keeps the streams open after that is a hang
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) end() ended {
	r.t.Helper()
	var exit *exec.ExitError
	if err := r.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return ended{r.cmd.ProcessState.ExitCode(), r.stdout.Bytes(), r.stderr.Bytes(), r.reported()}
}

// reported reads the report; nil if there is none. A runner that has just made the file has not reported yet.
func (r *running) reported() *results.Report {
	r.t.Helper()
	message, err := os.ReadFile(r.reportFile)
	if err != nil || len(message) == 0 {
		return nil
	}
	report, ok := results.Decode(string(message))
	if !ok || len(message) > maxReport {
		r.t.Errorf("the report is %d bytes long: %.300q", len(message), message)
	}
	return report
}

// words says what a report holds: FORMAT PASSED/FAILED/ERRORED/SKIPPED DEFECT.
func words(report *results.Report) string {
	if report == nil {
		return "no report"
	}
	counts := fmt.Sprintf("%d/%d/%d/%d", report.Passed, report.Failed, report.Errored, report.Skipped)
	final := ""
	if !report.Final {
		final = "not final"
	}
	return strings.Join(strings.Fields(fmt.Sprint(report.Format, " ", counts, " ", report.Defect, " ", final)), " ")
}

func TestWhatATestReportsIsRead(t *testing.T) {
	const suite = `<testsuite><testcase name="a"/><testcase name="b"><failure message="no"/></testcase></testsuite>`
	const events = `{"Action":"run","Package":"p","Test":"TestA"}\n{"Action":"pass","Package":"p","Test":"TestA"}\n{"Action":"pass","Package":"p"}\n`
	tests := map[string]struct {
		script string
		flags  []string
		code   int
		want   string
	}{
		"TAP":                                  {`echo 1..2; echo ok 1 - a; echo not ok 2 - b; exit 1`, nil, 1, "TAP 1/1/0/0"},
		"go test":                              {`printf '` + events + `'`, nil, 0, "GoTest 1/0/0/0"},
		"a JUnit file":                         {`echo '` + suite + `' > $TESTRUN_RESULTS/a.xml`, nil, 0, "JUnit 1/1/0/0"},
		"several JUnit files":                  {`mkdir -p $TESTRUN_RESULTS/x/y; for f in a x/b x/y/c; do echo '` + suite + `' > $TESTRUN_RESULTS/$f.xml; done`, nil, 0, "JUnit 3/3/0/0"},
		"files go before streams":              {`echo '` + suite + `' > $TESTRUN_RESULTS/a.xml; echo 1..1; echo ok 1`, nil, 0, "JUnit 1/1/0/0"},
		"XML of another kind is not read":      {`echo '<html/>' > $TESTRUN_RESULTS/a.xml; echo 1..1; echo ok 1`, nil, 0, "TAP 1/0/0/0"},
		"a JUnit file that is cut":             {`echo '<testsuite><testcase name="a"/>' > $TESTRUN_RESULTS/a.xml`, nil, 0, "JUnit 1/0/0/0 Incomplete"},
		"files at a path":                      {`mkdir $TESTRUN_RESULTS/x; for f in a x/b; do echo '` + suite + `' > $TESTRUN_RESULTS/$f.xml; done`, []string{"--format=JUnit", "--path=x/*.xml"}, 0, "JUnit 1/1/0/0"},
		"files at a path with a dot":           {`echo '` + suite + `' > $TESTRUN_RESULTS/a.xml`, []string{"--format=JUnit", "--path=./a.xml"}, 0, "JUnit 1/1/0/0"},
		"no results":                           {`echo ok then`, nil, 0, "0/0/0/0"},
		"no TAP though it is demanded":         {`echo hello`, []string{"--format=TAP"}, 0, "TAP 0/0/0/0"},
		"TAP is not read when JUnit is wanted": {`echo 1..1; echo ok 1`, []string{"--format=JUnit"}, 0, "0/0/0/0"},
		"a bail-out":                           {`echo 1..2; echo ok 1; echo 'Bail out! no database'; exit 0`, nil, 0, "TAP 1/0/0/0 BailedOut"},
		"a plan that is not reached":           {`echo 1..2; echo ok 1`, nil, 0, "TAP 1/0/0/0 PlanNotReached"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := startRunner(t, test.script, test.flags...).end()
			if got.code != test.code || words(got.report) != test.want {
				t.Errorf("exit code %d, report %q, want %d, %q; stderr %q", got.code, words(got.report), test.code, test.want, got.stderr)
			}
		})
	}
}

// Each of these tests behaves as tests should not. Its output has to arrive as it is all the same, and its verdict.
func TestTheRunnerCopesWithTestsThatMisbehave(t *testing.T) {
	const tap = `echo 1..2; echo ok 1 - a; echo not ok 2 - b; `
	tests := map[string]struct {
		script string
		code   int
		stdout string
		want   string
	}{
		"kills itself":   {tap + `kill -9 $$`, 137, "1..2\nok 1 - a\nnot ok 2 - b\n", "TAP 1/1/0/0"},
		"forks children": {tap + `for i in 1 2 3; do (sleep 60) & done; exit 1`, 1, "1..2\nok 1 - a\nnot ok 2 - b\n", "TAP 1/1/0/0"},
		"forks children into a session of their own": {tap + `setsid sleep 60 & setsid sh -c 'trap "" TERM; sleep 60' & sleep 0.1; exit 1`, 1, "1..2\nok 1 - a\nnot ok 2 - b\n", "TAP 1/1/0/0"},
		"closes stdout":                     {tap + `exec >&-; sleep 0.2; exit 4`, 4, "1..2\nok 1 - a\nnot ok 2 - b\n", "TAP 1/1/0/0"},
		"closes both streams":               {tap + `exec >&- 2>&-; sleep 0.2; exit 4`, 4, "1..2\nok 1 - a\nnot ok 2 - b\n", "TAP 1/1/0/0"},
		"prints 10 MB in one line":          {tap + `head -c 10000000 /dev/zero | tr '\0' x; echo; exit 1`, 1, "1..2\nok 1 - a\nnot ok 2 - b\n" + strings.Repeat("x", 10_000_000) + "\n", "TAP 1/1/0/0"},
		"prints 10 MB into a name":          {`echo 1..1; printf 'not ok 1 - '; head -c 10000000 /dev/zero | tr '\0' x; exit 1`, 1, "1..1\nnot ok 1 - " + strings.Repeat("x", 10_000_000), "TAP 0/1/0/0"},
		"prints what is not UTF-8":          {`printf '1..1\nnot ok 1 - \377\376\n# \300\n'; exit 1`, 1, "1..1\nnot ok 1 - \xff\xfe\n# \xc0\n", "TAP 0/1/0/0"},
		"prints NUL":                        {`printf '1..1\nnot ok 1 - a\000b\n\000\n'; exit 1`, 1, "1..1\nnot ok 1 - a\x00b\n\x00\n", "TAP 0/1/0/0"},
		"prints terminal escapes":           {`printf '1..1\nnot ok 1 - \033[31mred\033[0m\n\033]0;title\a'; exit 1`, 1, "1..1\nnot ok 1 - \x1b[31mred\x1b[0m\n\x1b]0;title\a", "TAP 0/1/0/0"},
		"ends without a line end":           {`printf '1..1\nok 1 - a'`, 0, "1..1\nok 1 - a", "TAP 1/0/0/0"},
		"is killed together with the shell": {tap + `sh -c 'kill -9 $PPID'; sleep 5`, 137, "1..2\nok 1 - a\nnot ok 2 - b\n", "TAP 1/1/0/0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := startRunner(t, test.script).end()
			if got.code != test.code || words(got.report) != test.want {
				t.Errorf("exit code %d, report %q, want %d, %q; stderr %q", got.code, words(got.report), test.code, test.want, got.stderr)
			}
			if string(got.stdout) != test.stdout {
				t.Errorf("%d bytes arrived, want %d: %.200q", len(got.stdout), len(test.stdout), got.stdout)
			}
		})
	}
}

func TestATestHasTheGracePeriodToEndAfterSIGTERM(t *testing.T) {
	const tap = `echo 1..2; echo ok 1 - a; `
	const ready = `: > $TESTRUN_RESULTS/ready; while :; do sleep 0.05; done`
	for name, test := range map[string]struct {
		script, grace string
		code          int
		stdout        string
		want          string
	}{
		"a test that ends":       {`trap 'echo not ok 2 - b; exit 7' TERM; ` + tap + ready, "1m", 7, "1..2\nok 1 - a\nnot ok 2 - b\n", "TAP 1/1/0/0"},
		"a test that ignores it": {`trap '' TERM; ` + tap + ready, "100ms", 137, "1..2\nok 1 - a\n", "TAP 1/0/0/0 PlanNotReached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRunner(t, test.script, "--grace="+test.grace)
			r.signalWhen(syscall.SIGTERM, "the test is ready", func() bool {
				_, err := os.Stat(filepath.Join(r.resultsDir, "ready"))
				return err == nil
			})
			if got := r.end(); got.code != test.code || words(got.report) != test.want || string(got.stdout) != test.stdout {
				t.Errorf("exit code %d, report %q, stdout %q, want %d, %q, %q; stderr %q",
					got.code, words(got.report), got.stdout, test.code, test.want, test.stdout, got.stderr)
			}
		})
	}
}

// almostOver tells when the time of the whole test binary is nearly over: nothing here is given up sooner, since a busy machine is slow,
// and not stuck.
func almostOver(t *testing.T) <-chan time.Time {
	t.Helper()
	if deadline, limited := t.Deadline(); limited {
		return time.After(time.Until(deadline) - 10*time.Second)
	}
	return nil
}

// signalWhen waits for what the test or the runner brings about, and then sends the runner a signal.
func (r *running) signalWhen(sig syscall.Signal, what string, holds func() bool) {
	r.t.Helper()
	tooLate := almostOver(r.t)
	for !holds() {
		select {
		case <-tooLate:
			r.t.Fatalf("in vain: %s; the report is %q", what, words(r.reported()))
		case <-time.After(20 * time.Millisecond):
		}
	}
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
}

func TestChildrenThatWriteAfterTheTestHasEndedDoNotHoldItUp(t *testing.T) {
	t.Parallel()
	got := startRunner(t, `(while :; do echo '# still here'; : > $TESTRUN_RESULTS/wrote; done) & (while :; do echo why >&2; done) &
		echo 1..1; echo ok 1; until test -e $TESTRUN_RESULTS/wrote; do sleep 0.01; done`).end()
	if got.code != 0 || words(got.report) != "TAP 1/0/0/0" {
		t.Errorf("exit code %d, report %q", got.code, words(got.report))
	}
	for _, line := range []string{"# still here\n", "1..1\n", "ok 1\n"} {
		if !bytes.Contains(got.stdout, []byte(line)) {
			t.Errorf("%q was written before the end, and is missing in %.100q…", line, got.stdout)
		}
	}
}

func TestARunnerThatIsKilledLeavesWhatItHadRead(t *testing.T) {
	t.Parallel()
	r := startRunner(t, `echo 1..3; echo ok 1; echo not ok 2; echo '# why'; echo ok 3; exec sleep 60`)
	const want = "TAP 1/1/0/0 not final"
	r.signalWhen(syscall.SIGKILL, "all that was printed is reported", func() bool { return words(r.reported()) == want })
	if got := r.end(); words(got.report) != want {
		t.Errorf("report %q", words(got.report))
	}
}

func TestACommandThatCannotBeStartedIsReportedAsSuch(t *testing.T) {
	for name, test := range map[string]struct {
		command string
		code    int
		says    string
	}{
		"not found":      {"no-such-program", 127, "not found"},
		"not executable": {"/etc/passwd", 126, "permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			r := startRunner(t, "", "--", test.command)
			got := r.end()
			if got.code != test.code || got.report == nil || !strings.Contains(got.report.NotStarted, test.says) || !strings.Contains(got.report.NotStarted, test.command) {
				t.Errorf("exit code %d, report %+v, stderr %q", got.code, got.report, got.stderr)
			}
		})
	}
}

func TestWithoutAFolderForFilesATestRunsUnlessItHasToLeaveSome(t *testing.T) {
	for format, want := range map[string]struct {
		code   int
		stdout string
	}{"Auto": {0, "it runs\n"}, "JUnit": {exitCannotRun, ""}} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "run", "--format="+format, "--report="+filepath.Join(t.TempDir(), "report"), "--", "echo", "it runs")
		cmd.Env = append(os.Environ(), asRunner+"=1", runner.EnvResults+"=/dev/null/results")
		stdout, err := cmd.Output()
		if cmd.ProcessState.ExitCode() != want.code || string(stdout) != want.stdout {
			t.Errorf("%s: exit code %d, %q (%v), want %d, %q", format, cmd.ProcessState.ExitCode(), stdout, err, want.code, want.stdout)
		}
	}
}

func TestTheTestIsToldWhichExecutionItIs(t *testing.T) {
	for format, folder := range map[string]string{"Auto": "/tmp/testrun-6f2c0f0e-2", "JUnit": "/tmp/testrun-6f2c0f0e-2", "TAP": "none"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "run", "--format="+format, "--identity=default/smoke/6f2c0f0e/2",
			"--report="+filepath.Join(t.TempDir(), "report"), "--",
			"sh", "-c", "echo $TESTRUN_NAMESPACE $TESTRUN_NAME $TESTRUN_UID $TESTRUN_ATTEMPT ${TESTRUN_RESULTS-none}")
		cmd.Env = append(os.Environ(), asRunner+"=1", runner.EnvUID+"=another")
		stdout, err := cmd.Output()
		_ = os.Remove("/tmp/testrun-6f2c0f0e-2")
		if want := "default smoke 6f2c0f0e 2 " + folder + "\n"; string(stdout) != want {
			t.Errorf("%s: it is told %q (%v), want %q", format, stdout, err, want)
		}
	}
}

func TestACommandLineThatIsNoUseSaysWhy(t *testing.T) {
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"walk"}, `there is no verb "walk": it is run or install`},
		{[]string{"install"}, "install takes one argument: the file to copy the runner to"},
		{[]string{"run", "--format=XML"}, `--format is "XML": it is one of Auto, TAP, JUnit, GoTest`},
		{[]string{"run", "--speed=9"}, "flag provided but not defined: -speed"},
		{[]string{"install", "/no/such/folder/runner"}, "installing the runner: open /no/such/folder/runner: no such file or directory"},
	} {
		if code, err := run(test.args); code == 0 || err == nil || err.Error() != test.says {
			t.Errorf("%v: exit code %d, %v, want %q", test.args, code, err, test.says)
		}
	}
}

func TestTheInstalledRunnerIsTheSameProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runner")
	if code, err := run([]string{"install", path}); code != 0 || err != nil {
		t.Fatal(code, err)
	}
	cmd := exec.CommandContext(t.Context(), path, "run", "--report="+filepath.Join(t.TempDir(), "report"), "--", "sh", "-c", "exit 5")
	cmd.Env = append(os.Environ(), asRunner+"=1")
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 5 {
		t.Error(err)
	}
}
