// Command archive fills a database with cases of made-up runs, the way in which the server does, and says how long that took, how large it
// became, and how long a page of each list takes then. It goes on where it stopped:
//
//	go run ./test/archive -database=sqlite:/tmp/archive.db -cases=10000000
//	go run ./test/archive -database=postgres -cases=10000000
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/test/postgres"
)

func main() {
	url := flag.String("database", "sqlite:bin/archive.db", "the database to fill: sqlite:PATH, postgres://…, or postgres for a server of its own")
	cases := flag.Int("cases", 1_000_000, "how many cases there should be in the end")
	reads := flag.Int("reads", 1000, "how often each list is read")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *url, *cases, *reads)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, url string, cases, reads int) error {
	if url == "postgres" {
		server, err := postgres.Start(ctx, "fsync=on", "shared_buffers=512MB", "max_wal_size=4GB")
		if err != nil {
			return err
		}
		defer server.Stop() //nolint:errcheck // the figures are printed
		if url, err = server.NewDatabase(ctx); err != nil {
			return err
		}
	}
	store, err := archive.Open(ctx, url)
	if err != nil {
		return err
	}
	defer store.Close()
	world := newWorld(cases, time.Now())
	if err := world.fill(ctx, store); err != nil {
		return err
	}
	size, err := store.Size(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("size: %.2f GB, %.0f bytes for each case\n", float64(size)/1e9, float64(size)/float64(cmp.Or(cases, 1)))
	return world.read(ctx, store, reads)
}
