// Command corpora runs small suites with real test tools under the runner, and compares what the runner reads with what the
// tools themselves say: their exit codes, and the counts that they give elsewhere. `make corpora` prepares what it needs: the
// runner and the tools. See docs/results.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"
)

func main() {
	var o options
	flag.StringVar(&o.write, "write", "", "A file whose table is replaced by this one.")
	flag.StringVar(&o.keep, "keep", "", "A folder for what the tools print and write.")
	flag.StringVar(&o.only, "run", "", "Only suites whose name contains this.")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "corpora [flags] [TOOL...]: all tools if none is named")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(o, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "corpora:", err)
		os.Exit(1)
	}
}

type options struct{ write, keep, only string }

func run(o options, names []string) error {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		return err
	}
	all := tools()
	for _, name := range names {
		if !slices.ContainsFunc(all, func(t tool) bool { return t.name == name }) {
			return fmt.Errorf("there is no tool %q: see the table in docs/results.md", name)
		}
	}
	folder := filepath.Join(bin, "_corpora")
	b := &bench{
		runner: filepath.Join(bin, "runner"), folder: folder, keep: o.keep,
		path: strings.Join([]string{filepath.Join(folder, "node_modules/.bin"), filepath.Join(bin, "tools"), os.Getenv("PATH")}, ":"),
	}
	all = slices.DeleteFunc(all, func(t tool) bool { return len(names) > 0 && !slices.Contains(names, t.name) })
	tables := make([]table, len(all))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for i, t := range all {
		group.Go(func() error { return b.all(ctx, t, o.only, &tables[i]) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	var results table
	for _, of := range tables {
		results.rows = append(results.rows, of.rows...)
	}
	fmt.Println(results.String())
	if wrong := results.unknown(); wrong > 0 {
		err = fmt.Errorf("%d runs were read wrongly, and it is not known why", wrong)
	}
	if o.write != "" {
		err = errors.Join(err, results.writeTo(o.write))
	}
	return err
}

// all runs all suites of a tool in all its outputs.
func (b *bench) all(ctx context.Context, t tool, only string, to *table) error {
	prepared, err := b.prepare(ctx, t)
	if err != nil {
		return err
	}
	version, err := b.shell(ctx, prepared, t.version)
	if err != nil {
		return err
	}
	for _, o := range t.outputs {
		row := to.add(t.name, version, o.name)
		for _, s := range t.suites {
			if !strings.Contains(s.name, only) {
				continue
			}
			got, err := b.run(ctx, prepared, t, o, s)
			if err != nil {
				return err
			}
			row.runs = append(row.runs, got)
			if got.wrong != "" {
				fmt.Printf("%s: %s: %s: %s\n", t.name, o.name, s.name, got.wrong)
			}
		}
	}
	return nil
}
