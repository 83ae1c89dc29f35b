package release

import (
	"context"
	"os"
	"path/filepath"
)

// platform is what a program is compiled for.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "_" + p.arch }

// file is the name of a program's file.
func (p platform) file(program string) string {
	if p.os == "windows" {
		return program + ".exe"
	}
	return program
}

var (
	// nodes are what the images are for.
	nodes = []platform{{"linux", "amd64"}, {"linux", "arm64"}}
	// desks are what people work at.
	desks = []platform{
		{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}, {"windows", "amd64"}, {"windows", "arm64"},
	}
)

// plugin is the program that people have on their own machine. It gets archives, and no image.
const plugin = "kubectl-testrun"

func (w *workshop) binary(p platform, program string) string {
	return filepath.Join(w.binaries, p.String(), p.file(program))
}

// hasPlugin says whether there is a plugin to release.
func (w *workshop) hasPlugin() bool { return exists(filepath.Join(w.Root, "cmd", plugin)) }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (w *workshop) buildPrograms(ctx context.Context) error {
	for _, p := range nodes {
		w.say("compiling for %s", p)
		if err := w.compile(ctx, p, w.Programs...); err != nil {
			return err
		}
	}
	if !w.hasPlugin() {
		return nil
	}
	for _, p := range desks {
		w.say("compiling %s for %s", plugin, p)
		if err := w.compile(ctx, p, plugin); err != nil {
			return err
		}
	}
	return nil
}

// compile builds programs. Whatever else the user's environment says about how to compile has no say here.
func (w *workshop) compile(ctx context.Context, p platform, programs ...string) error {
	output := filepath.Join(w.binaries, p.String()) + string(filepath.Separator)
	args := []string{
		"build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version=" + w.release.Version, "-o", output,
	}
	for _, program := range programs {
		args = append(args, "./cmd/"+program)
	}
	_, err := command(ctx, w.Root, []string{
		"GOOS=" + p.os, "GOARCH=" + p.arch, "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOEXPERIMENT=", "GOFIPS140=off",
		"GOAMD64=v1", "GOARM64=v8.0",
	}, "go", args...)
	return err
}
