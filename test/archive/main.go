// Command archive measures the archive's databases: it fills each with cases of made-up runs, the way in which the server does, and says how
// large it became, how long that took beside bare inserts, and how long a page of each list takes then. A fill that was stopped goes on.
// `make bench-archive` runs it: see docs/benchmarks.md.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/test/postgres"
)

// settings are the flags.
type settings struct {
	Cases     int    `json:"cases"`
	Reads     int    `json:"reads"`
	Databases string `json:"databases"`
	folder    string
	output    string
}

func main() {
	var s settings
	flag.IntVar(&s.Cases, "cases", 10_000_000, "How many cases there should be in each database in the end.")
	flag.IntVar(&s.Reads, "reads", 1000, "How often each list is read.")
	flag.StringVar(&s.Databases, "databases", "sqlite,postgres", "The databases, in their order.")
	flag.StringVar(&s.folder, "folder", "bin/bench-archive", "Where the databases are. They stay there, and the next call goes on with them.")
	flag.StringVar(&s.output, "json", "bin/bench-archive.json", "Where the figures go.")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings) error {
	if s.Cases < 1 || s.Reads < 1 {
		return fmt.Errorf("-cases and -reads are at least 1")
	}
	if err := os.MkdirAll(s.folder, 0o755); err != nil {
		return err
	}
	result := report{Settings: s}
	for kind := range strings.SplitSeq(s.Databases, ",") {
		d, err := s.measure(ctx, kind)
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		result.Databases = append(result.Databases, d)
	}
	content, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.output, append(content, '\n'), 0o644); err != nil {
		return err
	}
	return result.print(os.Stdout)
}

// measure fills a database and reads it.
func (s settings) measure(ctx context.Context, kind string) (d database, err error) {
	d.Kind = kind
	addresses, stop, err := s.start(ctx, kind)
	if err != nil {
		return d, err
	}
	defer func() {
		if stopErr := stop(); err == nil {
			err = stopErr
		}
	}()
	store, err := archive.Open(ctx, addresses.archive)
	if err != nil {
		return d, err
	}
	defer store.Close()
	bare, err := openBare(ctx, kind, addresses.bare)
	if err != nil {
		return d, err
	}
	defer bare.Close()
	w := newWorld(ctx, store, s.Cases)
	// This makes the partitions of the months in which the runs were.
	if _, _, err := store.Expire(ctx, w.created(0), archive.Policy{}, 1); err != nil {
		return d, err
	}
	if d.Ingest, err = w.fill(ctx, store, bare); err != nil {
		return d, err
	}
	size, err := store.Size(ctx)
	if err != nil {
		return d, err
	}
	d.Bytes, d.BytesOfCase = size, float64(size)/float64(w.runs*casesOfRun)
	d.Lists, err = w.read(ctx, store, s.Reads)
	return d, err
}

// addresses are where the archive is, and the table that it is compared with.
type addresses struct{ archive, bare string }

// start makes or finds the databases. There is one for each number of cases.
func (s settings) start(ctx context.Context, kind string) (a addresses, stop func() error, err error) {
	folder, err := filepath.Abs(s.folder)
	if err != nil {
		return a, nil, err
	}
	switch kind {
	case "sqlite":
		path := filepath.Join(folder, fmt.Sprintf("%d.db", s.Cases))
		return addresses{"sqlite:" + path, filepath.Join(folder, "bare.db")}, func() error { return nil }, nil
	case "postgres":
		server, err := postgres.StartIn(ctx, filepath.Join(folder, "postgres"), "fsync=on", "shared_buffers=512MB", "max_wal_size=4GB")
		if err != nil {
			return a, nil, err
		}
		if a.archive, err = server.Database(ctx, fmt.Sprintf("archive%d", s.Cases)); err == nil {
			a.bare, err = server.Database(ctx, "bare")
		}
		if err != nil {
			_ = server.Stop() // the first error counts
			return a, nil, err
		}
		return a, server.Stop, nil
	}
	return a, nil, fmt.Errorf("-databases has %q: it is a list of sqlite and postgres, separated by commas", kind)
}
