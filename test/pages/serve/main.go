// Command serve serves the pages with made-up runs, to look at them while they are changed:
//
//	go run ./test/pages/serve
//
// It prints the address, and tokens to log in with.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"time"

	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/pages"
)

type serving struct{ address string }

func main() {
	address := flag.String("address", "127.0.0.1:18444", "where to listen")
	flag.Parse()
	os.Exit(apiserver.Run(serving{*address}))
}

// Run serves until it is interrupted.
func (s serving) Run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := s.serve(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (s serving) serve(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "testrun-pages")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	site, err := pages.Start(ctx, apiserver.Config, folder)
	if err != nil {
		return err
	}
	defer func() { _ = site.Close() }()
	if err := site.Fill(ctx, time.Now()); err != nil {
		return err
	}
	users, err := pages.AddUsers(ctx)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.address)
	if err != nil {
		return err
	}
	site.Server.Listener = listener
	site.Server.StartTLS()
	fmt.Println(site.Server.URL)
	for name, token := range users {
		fmt.Printf("%s: %s\n", name, token)
	}
	<-ctx.Done()
	return nil
}
