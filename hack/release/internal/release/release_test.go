package release

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAReleaseHasTheSameBytesWhereverAndWheneverItIsMade(t *testing.T) {
	first := released(t)

	second := newProject(t, "quite/somewhere else")
	long := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	for name := range project {
		if err := os.Chtimes(filepath.Join(second, name), long, long); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(second, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range map[string]string{
		"GOFLAGS": "-ldflags=-X=main.version=other -tags=other", "GOCACHE": goEnv(t, "GOCACHE"), "GOAMD64": "v3", "GOARM64": "v9.0", "CGO_ENABLED": "1",
		"TZ": "Asia/Kathmandu", "LC_ALL": "C", "HOME": t.TempDir(), "GOMODCACHE": goEnv(t, "GOMODCACHE"), "SOURCE_DATE_EPOCH": "1",
	} {
		t.Setenv(name, value)
	}
	defer syscall.Umask(syscall.Umask(0o077))
	options, _ := optionsFor(second)
	if err := Build(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	expectSameFiles(t, filepath.Join(first, "dist"), filepath.Join(second, "dist"))
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func expectSameFiles(t *testing.T, first, second string) {
	t.Helper()
	names := filesIn(t, first)
	if others := filesIn(t, second); !slices.Equal(names, others) {
		t.Fatalf("one release has the files\n%q, the other\n%q", names, others)
	}
	if len(names) < 20 {
		t.Errorf("the release has only the files %q", names)
	}
	for _, name := range names {
		if readFile(t, first, name) != readFile(t, second, name) {
			t.Errorf("%s differs", name)
		}
	}
}

func filesIn(t *testing.T, folder string) []string {
	t.Helper()
	var names []string
	if err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(path, folder))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return names
}

func TestAReleaseNamesItsImagesByDigest(t *testing.T) {
	root := released(t)
	var release Release
	if err := json.Unmarshal([]byte(readFile(t, root, "dist", descriptionFile)), &release); err != nil {
		t.Fatal(err)
	}
	manager, runner := release.Images[0], release.Images[1]
	for _, file := range []string{"install.yaml", "install-with-server.yaml"} {
		manifest := readFile(t, root, "dist", file)
		for _, want := range []string{
			"image: registry.example.com/small/manager:v1.2.3@" + manager.Digest,
			"--runner-image=registry.example.com/small/runner:v1.2.3@" + runner.Digest,
		} {
			if !strings.Contains(manifest, want) {
				t.Errorf("%s is\n%s\nwant %s in it", file, manifest, want)
			}
		}
	}
	if err := checkSums(filepath.Join(root, "dist")); err != nil {
		t.Error(err)
	}
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", sumsFile)
	check.Dir = filepath.Join(root, "dist")
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
}

func TestWhatCannotBeReleasedIsSaidBeforeAnythingIsBuilt(t *testing.T) {
	tests := map[string]struct {
		change func(root string, options *Options)
		want   string
	}{
		"a version without v":    {func(_ string, o *Options) { o.Version = "1.2.3" }, "VERSION=1.2.3 is no version"},
		"a version with +":       {func(_ string, o *Options) { o.Version = "v1.2.3+x" }, "is no version"},
		"half a version":         {func(_ string, o *Options) { o.Version = "v1.2" }, "is no version"},
		"a number with a zero":   {func(_ string, o *Options) { o.Version = "v1.2.3-rc.01" }, "is no version"},
		"no version":             {func(_ string, o *Options) { o.Version = "vanilla" }, "is no version"},
		"a version like a novel": {func(_ string, o *Options) { o.Version = "v1.2.3-" + strings.Repeat("a", 128) }, "is no version"},
		"a registry with spaces": {func(_ string, o *Options) { o.Registry = "no registry" }, "REGISTRY=no registry is no registry"},
		"a URL as registry":      {func(_ string, o *Options) { o.Registry = "https://registry.example.com/x" }, "is no registry"},
		"no programs":            {func(_ string, o *Options) { o.Programs = nil }, "no programs are named"},
		"a changed file": {func(root string, _ *Options) {
			writeFile(t, filepath.Join(root, "LICENSE"), "changed")
		}, "v1.2.3 would hold what is not committed"},
		"an image of no program": {func(_ string, o *Options) { o.Programs = []string{"manager"} }, "missing in PROGRAMS"},
		"a file that hides one":  {func(root string, _ *Options) { writeFile(t, filepath.Join(root, "new.go"), "package p") }, "new.go"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := newProject(t, "p")
			options, _ := optionsFor(root)
			writeFile(t, filepath.Join(root, "dist", "old"), "release")
			test.change(root, &options)
			err := Build(t.Context(), options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q in it", err, test.want)
			}
			if readFile(t, root, "dist", "old") != "release" {
				t.Error("the old release is gone")
			}
		})
	}
}

func TestAReleaseIsCalledByItsTagOrItsCommit(t *testing.T) {
	root := newProject(t, "p")
	options, _ := optionsFor(root)
	options.Version = ""
	version := func() string {
		t.Helper()
		release, err := describe(t.Context(), options)
		if err != nil {
			t.Fatal(err)
		}
		return release.Version
	}
	commit := version()
	if !strings.HasPrefix(commit, "v0.0.0-20260102030405-") || len(commit) != len("v0.0.0-20260102030405-")+12 {
		t.Errorf("without a tag the version is %s", commit)
	}
	runGit(t, root, "tag", "v1.2.3-rc.1")
	runGit(t, root, "tag", "vnext")
	if got := version(); got != "v1.2.3-rc.1" {
		t.Errorf("with a tag the version is %s", got)
	}
	writeFile(t, filepath.Join(root, "new.txt"), "")
	if got := version(); got != "v1.2.3-rc.1-dirty" {
		t.Errorf("with a new file the version is %s", got)
	}
}
