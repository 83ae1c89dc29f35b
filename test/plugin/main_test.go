// Package plugin tests `kubectl testrun`, the program as it is shipped: on a real API server, with the operator, the Job controller and the
// server of the archive beside it. There is no node: the tests do what a scheduler and a kubelet would.
package plugin

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	rbacv1 "k8s.io/api/rbac/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/yaml"

	"github.com/testrun-dev/testrun/internal/archive/ingest"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/kit"
	"github.com/testrun-dev/testrun/test/pages"
)

var write = flag.Bool("write", false, "write the transcripts of docs/kubectl-testrun.md anew")

// version is that of the plugin that is built.
const version = "v0.0.0-test"

// program is the plugin, as it is shipped.
var program = &kit.Program{Name: "kubectl-testrun", LinkerFlags: "-s -w -X main.version=" + version}

// site is the server of the archive, which hears of all runs of the API server.
var site *pages.Site

func TestMain(m *testing.M) {
	kit.AtATime(8)
	ctrl.SetLogger(logr.Discard())
	os.Exit(run(m))
}

func run(m *testing.M) int {
	defer program.Remove()
	return apiserver.Run(withArchive{m}, apiserver.ControllerManager)
}

// withArchive runs tests beside an archive, where the roles that are shipped exist.
type withArchive struct{ tests *testing.M }

// Run runs the tests.
func (w withArchive) Run() int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	folder, err := os.MkdirTemp("", "plugin")
	defer os.RemoveAll(folder)
	if err == nil {
		err = addRoles(ctx)
	}
	if err == nil {
		site, err = pages.Start(ctx, apiserver.Config, folder)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	site.Server.Config.ErrorLog = log.New(io.Discard, "", 0) // some tests do not trust it, and go away
	site.Server.StartTLS()
	watch := &ingest.Watch{
		Client: apiserver.Client, Store: site.Store, Log: slog.New(slog.DiscardHandler), Metrics: ingest.NewWatchMetrics(prometheus.NewRegistry()),
	}
	ended := make(chan struct{})
	go func() {
		watch.Run(ctx)
		close(ended)
	}()
	code := w.tests.Run()
	cancel()
	<-ended
	if err := site.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// addRoles makes the ClusterRoles that people are given.
func addRoles(ctx context.Context) error {
	for _, name := range []string{"testrun_viewer", "testrun_starter", "queue_viewer", "queue_editor"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", name+".yaml"))
		if err != nil {
			return err
		}
		role := &rbacv1.ClusterRole{}
		if err := yaml.UnmarshalStrict(text, role); err != nil {
			return err
		}
		if err := apiserver.Client.Create(ctx, role); err != nil {
			return err
		}
	}
	return nil
}
