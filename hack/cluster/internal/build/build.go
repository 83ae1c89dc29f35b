package build

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/testrun-dev/testrun/hack/cluster/internal/host"
	"github.com/testrun-dev/testrun/hack/cluster/internal/layout"
)

// Builder compiles components into the layout's Bin and tells Out about it.
type Builder struct {
	Layout layout.Layout
	Out    io.Writer
}

// Missing lists those that have to be compiled: not there, or made from something else than what is there now.
func (b Builder) Missing(components []Component) ([]Component, error) {
	var missing []Component
	for _, c := range components {
		want, err := stamp(b.Layout.Module(), c)
		if err != nil {
			return nil, err
		}
		have, _ := os.ReadFile(b.stampFile(c))
		if _, err := os.Stat(b.Layout.Program(c.Name)); err != nil || string(have) != want {
			missing = append(missing, c)
		}
	}
	return missing, nil
}

// Build compiles what is missing, one after the other: each uses all cores already.
func (b Builder) Build(ctx context.Context, components []Component) error {
	missing, err := b.Missing(components)
	if err != nil || len(missing) == 0 {
		return err
	}
	if err := b.prepare(ctx, missing); err != nil {
		return err
	}
	begin := time.Now()
	for i, c := range missing {
		fmt.Fprintf(b.Out, "[%d/%d] building %s (%s the first time) ...\n", i+1, len(missing), c.Name, c.FirstTime)
		start := time.Now()
		if err := b.compile(ctx, c); err != nil {
			return err
		}
		fmt.Fprintf(b.Out, "[%d/%d] built %s in %s\n", i+1, len(missing), c.Name, time.Since(start).Round(time.Second/10))
	}
	if len(missing) > 1 {
		fmt.Fprintf(b.Out, "built %d programs in %s\n", len(missing), time.Since(begin).Round(time.Second))
	}
	return nil
}

// prepare sees to the C compiler and libseccomp, which runc is linked with.
func (b Builder) prepare(ctx context.Context, components []Component) error {
	for _, c := range components {
		if !c.CGO {
			continue
		}
		needs := []host.Need{
			{What: "gcc", Packages: []string{"gcc", "libc6-dev"}, Present: host.HasProgram("gcc")},
			{What: "pkg-config", Packages: []string{"pkg-config"}, Present: host.HasProgram("pkg-config")},
			{What: "the headers of libseccomp", Packages: []string{"libseccomp-dev"}, Present: func() bool {
				return exec.Command("pkg-config", "--exists", "libseccomp").Run() == nil
			}},
		}
		return host.Install(ctx, b.Out, "building "+c.Name, needs)
	}
	return nil
}

func (b Builder) compile(ctx context.Context, c Component) error {
	program := b.Layout.Program(c.Name)
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		return err
	}
	// Renamed into place, so that a build that was interrupted leaves nothing that looks finished, and so that a
	// program can be replaced while it runs.
	tmp := program + ".new"
	defer os.Remove(tmp)
	cmd := exec.CommandContext(ctx, "go", append(buildArgs(c), "-o", tmp, c.Package)...)
	cmd.Dir = filepath.Join(b.Layout.Module(), c.Module)
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED="+cgoEnabled(c))
	// On Ctrl-C go ends its compilers itself.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	output, err := b.run(cmd, c)
	if err != nil {
		return fmt.Errorf("building %s: %w\n%s", c.Name, err, output)
	}
	want, err := stamp(b.Layout.Module(), c)
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, program); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(b.stampFile(c)), 0o755); err != nil {
		return err
	}
	return os.WriteFile(b.stampFile(c), []byte(want), 0o644)
}

// run says every minute that it is still at it, and returns the compiler's output without the list of downloads.
func (b Builder) run(cmd *exec.Cmd, c Component) (string, error) {
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start go: %w", err)
	}
	start, done := time.Now(), make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return withoutDownloads(output.String()), err
		case <-tick.C:
			fmt.Fprintf(b.Out, "      %s: still building after %s\n", c.Name, time.Since(start).Round(time.Second))
		}
	}
}

func withoutDownloads(output string) string {
	var kept []string
	for line := range strings.Lines(output) {
		if !strings.HasPrefix(line, "go: downloading ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func buildArgs(c Component) []string {
	args := []string{
		"build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", strings.TrimSpace("-s -w " + c.LDFlags),
	}
	if c.Tags != "" {
		args = append(args, "-tags", c.Tags)
	}
	return args
}

func cgoEnabled(c Component) string {
	if c.CGO {
		return "1"
	}
	return "0"
}

func (b Builder) stampFile(c Component) string {
	return filepath.Join(b.Layout.Bin(), ".stamps", strings.ReplaceAll(c.Name, "/", "_"))
}
