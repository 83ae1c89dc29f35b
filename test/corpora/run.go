package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/lifecycle"
	"github.com/testrun-dev/testrun/internal/results"
	"github.com/testrun-dev/testrun/internal/runner"
)

// bench is where suites run.
type bench struct {
	runner string
	// folder has the tools that were installed for this, and the copies of the suites.
	folder string
	path   string
	// keep is where what was printed and written is left; empty for nowhere.
	keep string
}

// outcome is how one run of a suite ended, and how it was read.
type outcome struct {
	tool, output, suite, note string
	code                      int
	// wrong says what was read wrongly; empty if all is right. known says why it stays so; empty if nobody knew of it.
	wrong, known string
}

// tooLong is when a suite that hangs is ended.
const tooLong = 3 * time.Minute

// prepare copies the tool's folder, builds it, and returns the copy.
func (b *bench) prepare(ctx context.Context, t tool) (string, error) {
	copied := filepath.Join(b.folder, "suites", strings.ReplaceAll(t.name, " ", "-"))
	if err := copyFolder(filepath.Join("testdata", t.folder), copied); err != nil {
		return "", err
	}
	if t.build == "" {
		return copied, nil
	}
	_, err := b.shell(ctx, copied, t.build)
	return copied, err
}

func copyFolder(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return os.CopyFS(to, os.DirFS(from))
}

// shell runs a command that has to succeed, and returns what it printed.
func (b *bench) shell(ctx context.Context, folder, script string) (string, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", script)
	cmd.Dir, cmd.Env = folder, b.environment()
	printed, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", script, err, printed)
	}
	return strings.TrimSpace(string(printed)), nil
}

// environment is what a test's pod would have: no terminal, and nothing that says it is a CI.
func (b *bench) environment(more ...string) []string {
	var env []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if name != "CI" && name != "NODE_OPTIONS" && name != "GOFLAGS" && name != "FORCE_COLOR" && name != "PATH" {
			env = append(env, pair)
		}
	}
	return append(append(env, "PATH="+b.path, "LC_ALL=C.UTF-8"), more...)
}

// run runs a suite under the runner, in a fresh copy of the folder that prepare made.
func (b *bench) run(ctx context.Context, prepared string, t tool, o output, s suite) (outcome, error) {
	out := outcome{tool: t.name, output: o.name, suite: s.name, note: s.note}
	ctx, cancel := context.WithTimeout(ctx, tooLong)
	defer cancel()
	work := prepared + "-run"
	kept := work + "-files"
	if b.keep != "" {
		kept = filepath.Join(b.keep, strings.ReplaceAll(strings.Join([]string{t.name, o.name, s.name}, "_"), " ", "-"))
	}
	if err := errors.Join(copyFolder(prepared, work), os.RemoveAll(kept), os.MkdirAll(kept, 0o755)); err != nil {
		return out, err
	}
	report, truth := filepath.Join(kept, "report"), filepath.Join(kept, "truth")
	options := runner.Options{Format: runner.Auto, Grace: time.Second, Report: report, Command: []string{"sh", "-c", o.command}}
	cmd := exec.CommandContext(ctx, b.runner, options.Args()...)
	cmd.Dir = work
	cmd.Env = b.environment("SUITE="+s.arguments, "TRUTH="+truth, "OUTPUT="+o.name, v1alpha1.EnvResults+"="+filepath.Join(kept, "results"))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		return out, err
	}
	if ctx.Err() != nil {
		return out, fmt.Errorf("%s: %s: %s: it has not ended after %s", t.name, o.name, s.name, tooLong)
	}
	if b.keep != "" {
		_ = os.WriteFile(filepath.Join(kept, "stdout"), stdout.Bytes(), 0o644)
		_ = os.WriteFile(filepath.Join(kept, "stderr"), stderr.Bytes(), 0o644)
	}
	out.code = cmd.ProcessState.ExitCode()
	message, err := os.ReadFile(report)
	if err != nil {
		return out, err
	}
	account := account{stdout: stdout.Bytes(), stderr: stderr.Bytes()}
	if account.file, err = os.ReadFile(truth); err != nil && !errors.Is(err, os.ErrNotExist) {
		return out, err
	}
	err = out.judge(o, s, string(message), account)
	return out, err
}

// truthOf is what is right: the counts, and the verdict.
func truthOf(o output, s suite, code int, account account) (c counts, verdict v1alpha1.Verdict, err error) {
	verdict = v1alpha1.VerdictPassed
	if code != 0 {
		verdict = v1alpha1.VerdictFailed
	}
	want, given := s.want.output(o.name)
	switch {
	case given:
		text, other, _ := strings.Cut(want, " ")
		c, err = parseCounts(text)
		verdict = cmp.Or(v1alpha1.Verdict(other), verdict)
	case o.truth == nil:
		err = errors.New("the suite has no counts, and the tool gives none")
	default:
		c, err = o.truth(account)
		c.failing += s.more
	}
	return c, verdict, err
}

// judge compares what was read with the truth.
func (out *outcome) judge(o output, s suite, message string, account account) error {
	truth, verdict, err := truthOf(o, s, out.code, account)
	if err != nil {
		return fmt.Errorf("%s: %s: %s: exit code %d: %w\n%s", out.tool, out.output, out.suite, out.code, err, account.stderr)
	}
	report, ok := results.Decode(message)
	if !ok {
		return fmt.Errorf("%s: %s: %s: the runner's report cannot be read: %q", out.tool, out.output, out.suite, message)
	}
	read, shown := countsOf(report), map[string]bool{}
	for _, c := range report.Cases() {
		shown[c.Name] = true
	}
	names, _ := s.names.output(o.name)
	missing := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return shown[name] })
	got, reason, says := lifecycle.VerdictOfEnd(v1alpha1.ResultsAuto, int32(out.code), message) //nolint:gosec // an exit code
	switch {
	case got != verdict:
		out.wrong = fmt.Sprintf("verdict %s (%s: %s) of exit code %d", got, reason, says, out.code)
	case read != truth:
		out.wrong = fmt.Sprintf("%s %s passed/failing/skipped instead of %s, exit code %d", report.Format, read, truth, out.code)
	case len(missing) > 0:
		out.wrong = fmt.Sprintf("no case is named %q", missing)
	}
	switch known, given := s.known.output(o.name); {
	case given && out.wrong == "":
		out.wrong = "it is right, though known as wrong"
	default:
		out.known = known
	}
	return nil
}
