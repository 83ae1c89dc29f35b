// Package server tries faults of whole servers: the program as it is shipped, in processes of its own, on a real API server and a real
// PostgreSQL. What a single step of the server does when it dies is tried beside its code.
package server

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/postgres"
)

// started is the PostgreSQL server of all tests; nil before the first one needs it.
var started *postgres.Server

var database = sync.OnceValues(func() (*postgres.Server, error) {
	var err error
	started, err = postgres.Start(context.Background())
	return started, err
})

// binaries is the folder of what program builds.
var binaries string

// program is the server, as it is shipped.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binaries, "server")
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-o", path, "github.com/testrun-dev/testrun/cmd/server")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the server: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	flag.Parse()
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "test.parallel" })
	if !set {
		_ = flag.Set("test.parallel", "6") // a point is mostly waiting for a Lease
	}
	ctrl.SetLogger(logr.Discard())
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if binaries, err = os.MkdirTemp("", "server"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(binaries)
	code := apiserver.Run(m)
	if started != nil {
		if err := started.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "cannot stop PostgreSQL:", err)
			return 1
		}
	}
	return code
}
