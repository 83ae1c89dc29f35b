// Command cluster runs a real Kubernetes on this machine, built from Go modules. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/testrun-dev/testrun/hack/cluster/image"
	"github.com/testrun-dev/testrun/hack/cluster/internal/build"
	"github.com/testrun-dev/testrun/hack/cluster/internal/cluster"
	"github.com/testrun-dev/testrun/hack/cluster/internal/layout"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if err := run(ctx, os.Args[1:]); err != nil {
		switch {
		case errors.Is(err, cluster.ErrUnhealthy): // said already
		case ctx.Err() != nil:
			fmt.Fprintln(os.Stderr, "interrupted; the same command goes on from here")
		default:
			fmt.Fprintln(os.Stderr, "error:", err)
		}
		os.Exit(1)
	}
	stop()
}

// session is what a verb works with.
type session struct {
	layout  layout.Layout
	cluster *cluster.Cluster
}

type verb struct {
	name, args, help string
	min, max         int  // arguments; max -1: any number
	locked           bool // changes the cluster: one at a time
	run              func(ctx context.Context, s session, args []string) error
}

// oneComponent is for the verbs that stop and start.
func oneComponent(name, help string, run func(context.Context, *cluster.Cluster, string) error) verb {
	return verb{
		name: name, args: "COMPONENT", help: help, min: 1, max: 1, locked: true,
		run: func(ctx context.Context, s session, args []string) error { return run(ctx, s.cluster, args[0]) },
	}
}

func verbs() []verb {
	return []verb{
		{
			name: "up", help: "start the cluster (builds what is missing; harmless when it is up)", locked: true,
			run: func(ctx context.Context, s session, _ []string) error { return s.cluster.Up(ctx) },
		},
		{name: "down", help: "remove the cluster and all traces of it", locked: true, run: runDown},
		{
			name: "status", help: "say what runs; exit code 1 unless all is well",
			run: func(ctx context.Context, s session, _ []string) error { return s.cluster.Status(ctx) },
		},
		{name: "simulate", args: "N", help: "have N simulated nodes beside the real one; 0 takes them away", min: 1, max: 1, locked: true, run: runSimulate},
		{name: "env", help: `print the settings for kubectl: eval "$(go run -C hack/cluster . env)"`, run: runEnv},
		{name: "logs", args: "[COMPONENT]", help: "print where the logs are, or the end of one", max: 1, run: runLogs},
		{name: "load-image", args: "TAR...", help: "make images available to pods", min: 1, max: -1, run: runLoadImage},
		{name: "unload-image", args: "REGISTRY", help: "remove the images that the node has pulled from a registry", min: 1, max: 1, run: runUnloadImages},
		{name: "registry", args: "HOST[:PORT] [CA]", help: "let the node pull from a registry, whose CA is in a file; without the file: not any more", min: 1, max: 2, locked: true, run: runRegistry},
		{name: "image", args: "program|debian ...", help: "make an image (image help: how)", min: 1, max: -1, run: runImage},
		{name: "build", args: "[COMPONENT...]", help: "build programs into bin/k8s", max: -1, run: runBuild},
		oneComponent("stop", "end a component, as a fault",
			func(ctx context.Context, c *cluster.Cluster, name string) error { return c.Stop(ctx, name, false) }),
		oneComponent("kill", "end a component without warning (SIGKILL)",
			func(ctx context.Context, c *cluster.Cluster, name string) error { return c.Stop(ctx, name, true) }),
		oneComponent("start", "start a component again",
			func(ctx context.Context, c *cluster.Cluster, name string) error { return c.Start(ctx, name) }),
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage()
		return nil
	}
	var names []string
	for _, v := range verbs() {
		names = append(names, v.name)
		if v.name != args[0] {
			continue
		}
		args := args[1:]
		if len(args) < v.min || v.max >= 0 && len(args) > v.max {
			return fmt.Errorf("usage: %s", strings.TrimSpace(v.name+" "+v.args))
		}
		here, err := layout.Find(".")
		if err != nil {
			return err
		}
		s := session{layout: here, cluster: cluster.New(here, os.Stdout)}
		if v.locked {
			if err := s.cluster.Lock(); err != nil {
				return err
			}
		}
		return v.run(ctx, s, args)
	}
	return fmt.Errorf("there is no verb %q; there are: %s", args[0], strings.Join(names, ", "))
}

func usage() {
	fmt.Println("A real Kubernetes on this machine, built from Go modules.\n\n  go run -C hack/cluster . VERB\n ")
	table := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	for _, v := range verbs() {
		fmt.Fprintf(table, "  %s %s\t%s\n", v.name, v.args, v.help)
	}
	table.Flush()
	fmt.Println("\nRelative paths start at the root of the repository. More: hack/cluster/README.md")
}

func runDown(ctx context.Context, s session, _ []string) error {
	owner := cluster.Owner()
	if err := s.cluster.Down(ctx); err != nil {
		return err
	}
	if owner == "" {
		fmt.Println("the cluster was not up")
	} else {
		fmt.Println("the cluster is gone")
	}
	return nil
}

func runEnv(_ context.Context, s session, _ []string) error {
	fmt.Printf("export KUBECONFIG=%s\nexport PATH=%s:$PATH\n", quote(s.layout.Kubeconfig()), quote(s.layout.Bin()))
	return nil
}

// quote makes a path safe for a shell; most need nothing.
func quote(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool { return strings.ContainsRune(" \t\n'\"\\$`!*?[]{}()<>|&;#~", r) }) {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

func runSimulate(ctx context.Context, s session, args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil || n < 0 {
		return fmt.Errorf("simulate %s: how many nodes are there to be?", args[0])
	}
	return s.cluster.Simulate(ctx, n)
}

func runLogs(_ context.Context, s session, args []string) error {
	if len(args) == 0 {
		return s.cluster.PrintLogs("")
	}
	return s.cluster.PrintLogs(args[0])
}

func runLoadImage(ctx context.Context, s session, args []string) error {
	var tars []string
	for _, a := range args {
		tars = append(tars, s.layout.Resolve(a))
	}
	return s.cluster.LoadImages(ctx, tars)
}

func runUnloadImages(ctx context.Context, s session, args []string) error {
	return s.cluster.UnloadImages(ctx, args[0])
}

func runRegistry(_ context.Context, s session, args []string) error {
	if len(args) == 1 {
		return s.cluster.ForgetRegistry(args[0])
	}
	return s.cluster.TrustRegistry(args[0], s.layout.Resolve(args[1]))
}

func runBuild(ctx context.Context, s session, args []string) error {
	components, err := build.Select(args)
	if err != nil {
		return err
	}
	return build.Builder{Layout: s.layout, Out: os.Stdout}.Build(ctx, components)
}

const imageUsage = `usage:
  image program --name REF --output FILE [--user UID:GID] BINARY      one static program
  image debian  --name REF --output FILE [--user UID:GID] PACKAGE...  Debian packages and what they depend on`

func runImage(ctx context.Context, s session, args []string) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.Usage = func() {}
	reference := flags.String("name", "", "")
	output := flags.String("output", "", "")
	user := flags.String("user", "65532:65532", "")
	if err := flags.Parse(args[1:]); err != nil || *reference == "" || *output == "" || flags.NArg() == 0 {
		return errors.New(imageUsage)
	}
	var err error
	switch kind := args[0]; {
	case kind == "program" && flags.NArg() == 1:
		err = image.Program{Name: *reference, Binary: s.layout.Resolve(flags.Arg(0)), User: *user}.Write(s.layout.Resolve(*output))
	case kind == "debian":
		debian := image.Debian{Name: *reference, User: *user, Packages: flags.Args(), Cache: s.layout.Debs()}
		err = debian.Write(ctx, os.Stdout, s.layout.Resolve(*output))
	default:
		return errors.New(imageUsage)
	}
	if err == nil {
		fmt.Printf("wrote %s: image %s\n", s.layout.Resolve(*output), *reference)
	}
	return err
}
