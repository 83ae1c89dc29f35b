//go:build linux

package program

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/results"
)

func TestTheLastReportReplacesALongerOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report")
	long, short := &results.Report{NotStarted: strings.Repeat("long ", 50)}, &results.Report{Final: true}
	for _, report := range []*results.Report{long, short} {
		if err := openTerminationMessage(path).report(report); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, short.Encode(maxReport)) {
		t.Errorf("the file holds %q (%v)", got, err)
	}
}

func TestARunnerThatCannotReportSaysSoAndNeverEndsWithZero(t *testing.T) {
	const full, missing, ordinary = "/dev/full", "/no/such/folder/report", "report"
	for name, test := range map[string]struct {
		report string
		script string
		code   int
	}{
		"the test failed, the folder is missing":        {missing, "exit 3", 3},
		"the test passed, the folder is missing":        {missing, "exit 0", results.ExitNotReported},
		"the test passed, the disk is full":             {full, "echo 1..1; echo ok 1", results.ExitNotReported},
		"the test failed, the disk is full":             {full, "echo 1..1; echo not ok 1; exit 1", 1},
		"a case failed, and the test hides it":          {full, "echo 1..1; echo not ok 1; exit 0", results.ExitNotReported},
		"the test forbids process 1 to write":           {ordinary, "prlimit --fsize=0:0 --pid $PPID; echo 1..1; echo not ok 1; exit 0", results.ExitNotReported},
		"the same after a first report":                 {ordinary, "echo 1..1; echo ok 1; sleep 1.5; prlimit --fsize=0:0 --pid $PPID; exit 0", results.ExitNotReported},
		"the test allows process 1 to write too little": {ordinary, "prlimit --fsize=10:10 --pid $PPID; echo 1..1; echo ok 1; exit 0", results.ExitNotReported},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			r := startRunner(t, test.script, "--report="+test.report)
			if err := r.cmd.Wait(); r.cmd.ProcessState.ExitCode() != test.code || !strings.Contains(r.stderr.String(), "the results cannot be reported") {
				t.Errorf("exit code %d (%v), want %d; stderr %q", r.cmd.ProcessState.ExitCode(), err, test.code, r.stderr.String())
			}
		})
	}
}

func TestWhatATestDoesToTheReportsFileDoesNotHideItsCases(t *testing.T) {
	for name, script := range map[string]string{
		"it is cut":         `: > "$REPORT"`,
		"it is overwritten": `echo '{"testrun":1,"final":true,"format":"TAP","passed":9}' > "$REPORT"`,
		"it is replaced":    `rm "$REPORT"; ln -s /dev/null "$REPORT"`,
		"it is locked":      `chmod 0 "$REPORT"`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "report")
			t.Setenv("REPORT", path)
			r := startRunner(t, "ln "+path+" "+path+".own; "+script+"; echo 1..1; echo not ok 1", "--report="+path)
			r.reportFile = path + ".own" // a container's is a mount, which cannot be replaced
			if got := r.end(); got.code != 0 || words(got.report) != "TAP 0/1/0/0" {
				t.Errorf("exit code %d, report %q", got.code, words(got.report))
			}
		})
	}
}

func TestTheExitCodeIsTheTestsAlsoIfNobodyHearsWhatIsWrong(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	defer write.Close()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "run", "--report=/no/such/folder/report", "--", "sh", "-c", "exit 3")
	cmd.Env, cmd.Stderr = append(os.Environ(), asRunner+"=1"), write
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 3 {
		t.Error(err)
	}
}
