//go:build linux

package program

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/testrun-dev/testrun/internal/runner"
	"github.com/testrun-dev/testrun/internal/runner/pushertest"
)

// maxProgram is how large the program may be, in bytes: it is part of every test's pod.
const maxProgram = 8 << 20

func TestTheRunnerIsSmall(t *testing.T) {
	info, err := os.Stat(build(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d KiB", info.Size()>>10)
	if info.Size() > maxProgram {
		t.Errorf("it has %d bytes, want at most %d", info.Size(), maxProgram)
	}
}

func TestMemoryDoesNotGrowWithWhatIsPushed(t *testing.T) {
	tokenFile := filepath.Join(t.TempDir(), "token")
	program := build(t, "-X github.com/testrun-dev/testrun/internal/runner/program.tokenFile="+tokenFile)
	if err := os.WriteFile(tokenFile, []byte(pushertest.Token), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, misbehave := range map[string]func(*pushertest.Server){"a server": func(*pushertest.Server) {}, "a server that hangs": hang} {
		for _, input := range []string{"TAP", "GoTest", "JUnit", manyFiles} {
			t.Run(name+", "+input, func(t *testing.T) {
				server := pushertest.New(t)
				misbehave(server)
				id := runner.Identity{Namespace: "default", Name: "smoke", UID: fmt.Sprintf("test%d-%d", os.Getpid(), runs.Add(1)), Attempt: 1}
				defer os.RemoveAll(id.ResultsDir())
				defer os.RemoveAll(id.ArtifactsDir())
				peak, report := measure(t, program, input, "--identity="+id.String(), "--archive="+server.URL, "--archive-pin="+server.Pin)
				t.Logf("%d MiB, %d cases: %d KiB of memory, %+v", *size, report.Total(), peak, report.Archive)
				if report.Total() < int64(*size)<<10 || report.Failed != report.Total()/1000 {
					t.Errorf("it reports %s: %d cases, %d failed, %s", report.Format, report.Total(), report.Failed, report.DefectMessage)
				}
				if peak == 0 || peak > maxMemory {
					t.Errorf("it took up %d KiB, want at most %d", peak, maxMemory)
				}
				if server.First == nil {
					t.Logf("%d bytes are missing", server.ExpectWhole())
				}
			})
		}
	}
}
