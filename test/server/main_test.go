// Package server tries faults of whole servers: the program as it is shipped, in processes of its own, on a real API server and a real
// PostgreSQL. What a single step of the server does when it dies is tried beside its code.
package server

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/kit"
	"github.com/testrun-dev/testrun/test/postgres"
)

// started is the PostgreSQL server of all tests; nil before the first one needs it.
var started *postgres.Server

var database = sync.OnceValues(func() (*postgres.Server, error) {
	var err error
	started, err = postgres.Start(context.Background())
	return started, err
})

// program is the server, as it is shipped.
var program = &kit.Program{Name: "server"}

func TestMain(m *testing.M) {
	kit.AtATime(6) // a point is mostly waiting for a Lease
	ctrl.SetLogger(logr.Discard())
	os.Exit(run(m))
}

func run(m *testing.M) int {
	defer program.Remove()
	code := apiserver.Run(m)
	if started != nil {
		if err := started.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "cannot stop PostgreSQL:", err)
			return 1
		}
	}
	return code
}
