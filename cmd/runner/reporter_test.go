//go:build linux

package main

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
		if err := (terminationMessage{path}).report(report); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, short.Encode(maxReport)) {
		t.Errorf("the file holds %q (%v)", got, err)
	}
}

func TestTheRunnerSaysSoWhenItCannotReport(t *testing.T) {
	r := startRunner(t, `echo 1..1; echo ok 1; exit 3`, "--report=/no/such/folder/report")
	got := r.end()
	if got.code != 3 || !strings.Contains(string(got.stderr), "the results cannot be reported") {
		t.Errorf("exit code %d, stderr %q", got.code, got.stderr)
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
