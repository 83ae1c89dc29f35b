// kubectl-testrun is the plugin `kubectl testrun`.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // kubeconfigs may name a provider of credentials

	"github.com/testrun-dev/testrun/internal/kubectl"
)

// version is set by the build.
var version = "dev"

func main() { os.Exit(run()) }

// run ends with a code of the plugin's own, whatever happens: that of a panic, 2, would be a verdict.
func run() (code int) {
	defer func() {
		if problem := recover(); problem != nil {
			fmt.Fprintf(os.Stderr, "error: a fault of the plugin: %v. Please report it, with what you typed.\n", problem)
			code = kubectl.ExitProblem
		}
	}()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// A second signal ends the plugin at once.
	context.AfterFunc(ctx, stop)
	args := os.Args[1:]
	if name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"); name == kubectl.Completer {
		args = append([]string{"__complete"}, args...) // kubectl asks the program of that name for completions
	}
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	return kubectl.Main(ctx, args, streams, version)
}
