// Command release makes all that a release has, and pushes its images and its chart to a registry. See docs/releasing.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/testrun-dev/testrun/hack/release/internal/release"
)

const usage = `usage:
  release build [--version vX.Y.Z] [--registry HOST/PATH] [--download-url URL] [--programs "manager runner server"] [--output FOLDER]
  release push  [--registry HOST/PATH] [--output FOLDER]

make release and make release-push call it; docs/releasing.md says what is made`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.Usage = func() {}
	options := release.Options{Out: os.Stdout}
	flags.StringVar(&options.Root, "root", "../..", "the root of the repository")
	flags.StringVar(&options.Version, "version", "", "")
	flags.StringVar(&options.Registry, "registry", "", "")
	flags.StringVar(&options.DownloadURL, "download-url", "", "")
	programs := flags.String("programs", "", "")
	output := flags.String("output", "dist", "where the release is, from the root of the repository")
	if err := flags.Parse(args[1:]); err != nil || flags.NArg() != 0 {
		return errors.New(usage)
	}
	options.Programs = strings.Fields(*programs)
	var err error
	if options.Root, err = filepath.Abs(options.Root); err != nil {
		return err
	}
	if options.Output = *output; !filepath.IsAbs(options.Output) {
		options.Output = filepath.Join(options.Root, options.Output)
	}
	switch args[0] {
	case "build":
		return release.Build(ctx, options)
	case "push":
		return release.Push(ctx, options)
	}
	return errors.New(usage)
}
