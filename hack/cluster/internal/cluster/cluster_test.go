package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/hack/cluster/internal/build"
	"github.com/testrun-dev/testrun/hack/cluster/internal/layout"
)

func TestEveryServiceIsBuilt(t *testing.T) {
	var built []string
	for _, c := range build.Components() {
		built = append(built, c.Name)
	}
	for _, s := range withSimulation(t).services() {
		if !slices.Contains(built, s.name) {
			t.Errorf("%s is started but not built", s.name)
		}
	}
}

func TestAServiceStartsBehindWhatItNeeds(t *testing.T) {
	started := map[string]bool{"": true}
	for _, s := range withSimulation(t).services() {
		if !started[s.after] {
			t.Errorf("%s needs %s, which comes later", s.name, s.after)
		}
		started[s.name] = true
	}
}

func TestEveryTemplateFindsItsSettings(t *testing.T) {
	settings := New(layout.Layout{Repo: "/repo"}, nil).settings()
	for _, name := range []string{"Snapshotter", "Server", "CA"} {
		settings[name] = "given when it is written"
	}
	entries, err := templates.ReadDir("config")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		content, err := render(e.Name(), settings)
		if err != nil {
			t.Errorf("%s: %v", e.Name(), err)
		}
		if len(content) == 0 || strings.Contains(string(content), "{{") {
			t.Errorf("%s is not complete", e.Name())
		}
	}
}

func TestSocketsFitIntoAnAddress(t *testing.T) {
	// containerd refuses a longer folder for the sockets of shims.
	if n := len(layout.ShimSockets); n > 38 {
		t.Errorf("%s has %d characters", layout.ShimSockets, n)
	}
	if n := len(layout.ContainerdSocket + ".ttrpc"); n > 107 {
		t.Errorf("%s has %d characters", layout.ContainerdSocket, n)
	}
}

func TestTailOfALongFile(t *testing.T) {
	var lines []string
	for i := range 20000 {
		lines = append(lines, fmt.Sprint("line ", i))
	}
	file := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := tail(file, 2)
	if err != nil || !slices.Equal(got, []string{"line 19998", "line 19999"}) {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := tail(file, 100000); err != nil || len(got) < 1000 {
		t.Errorf("%d lines, %v", len(got), err)
	}
}

func TestImportedImages(t *testing.T) {
	got := importedImages("example.com/a:1     \tsaved\t\nexample.com/b:1 saved\napplication/json sha256:00\nImporting\telapsed: 0.1 s\n")
	if !slices.Equal(got, []string{"example.com/a:1", "example.com/b:1"}) {
		t.Errorf("got %q", got)
	}
}
