package ingest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/points"
	"github.com/testrun-dev/testrun/test/postgres"
)

// started is the PostgreSQL server of all tests; nil before the first one needs it.
var started *postgres.Server

var database = sync.OnceValues(func() (*postgres.Server, error) {
	var err error
	started, err = postgres.Start(context.Background())
	return started, err
})

func TestMain(m *testing.M) {
	code := apiserver.Run(m)
	if started != nil {
		if err := started.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "cannot stop PostgreSQL:", err)
			code = 1
		}
	}
	os.Exit(code)
}

const onPostgreSQL = "PostgreSQL"

// onEachDatabase tries something with SQLite, and with PostgreSQL too if all points are to be tried: openStore opens that.
func onEachDatabase(t *testing.T, do func(t *testing.T)) {
	t.Helper()
	t.Run("SQLite", do)
	if points.All() {
		t.Run(onPostgreSQL, do)
	}
}

// openStore opens an empty database.
func openStore(t *testing.T) *archive.Store {
	t.Helper()
	url := "sqlite:" + filepath.Join(t.TempDir(), "archive.db")
	if strings.Contains(t.Name(), "/"+onPostgreSQL) {
		server, err := database()
		if err == nil {
			url, err = server.NewDatabase(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	store, err := archive.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}
