// The server keeps what runs said, when the runs, their pods and their logs are gone, and answers who asks for it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/testrun-dev/testrun/internal/server"
)

// version is set by the build.
var version = "dev"

// errUsage means that the command line is wrong.
var errUsage = errors.New("the command line is wrong")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		os.Exit(1)
	}
}

// run does what the command line says. Errors are lines of the log.
func run(ctx context.Context, args []string, out, logs io.Writer) error {
	level := &slog.LevelVar{}
	log := slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: level}))
	logThrough(log)
	commands := map[string]func(context.Context, []string, *slog.LevelVar, *slog.Logger) error{
		"copy": runCopy, "backup": runBackup,
	}
	if len(args) == 1 && args[0] == "version" {
		fmt.Fprintln(out, version)
		return nil
	}
	command := serve
	if len(args) > 0 {
		if named, ok := commands[args[0]]; ok {
			command, args = named, args[1:]
		}
	}
	err := command(ctx, args, level, log)
	var help *helpError
	if errors.As(err, &help) {
		fmt.Fprint(out, help.text)
		return nil
	}
	if err != nil {
		log.Error("The server has stopped", "error", err)
	}
	return err
}

// logThrough makes all that this process logs go one way.
func logThrough(log *slog.Logger) {
	slog.SetDefault(log)
	bridge := logr.FromSlogHandler(log.Handler())
	ctrl.SetLogger(bridge)
	klog.SetLoggerWithOptions(bridge, klog.ContextualLogger(true))
}

func serve(ctx context.Context, args []string, level *slog.LevelVar, log *slog.Logger) error {
	options, err := parseServe(args, level)
	if err != nil {
		return err
	}
	options.Log = log
	if options.Config, err = ctrl.GetConfig(); err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	options.Config.QPS = -1 // the API server's priority and fairness limits us, per flow, and knows better how much
	options.Config.UserAgent = "testrun-server/" + version
	log.Info("Starting the server", "version", version)
	s, err := server.New(ctx, options)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

func runCopy(ctx context.Context, args []string, level *slog.LevelVar, log *slog.Logger) error {
	var from, to, fromBlobs, toBlobs string
	flags := flag.NewFlagSet("testrun-server copy", flag.ContinueOnError)
	flags.StringVar(&from, "from-database", "", "The database to copy: sqlite:PATH or postgres://….")
	flags.StringVar(&to, "to-database", "", "The database to copy to; its tables are made if there are none.")
	flags.StringVar(&fromBlobs, "from-blobs", "", "The blobs to copy: file:PATH or s3://BUCKET/PREFIX. Empty copies none.")
	flags.StringVar(&toBlobs, "to-blobs", "", "Where to copy the blobs to.")
	if err := parse(flags, args, level); err != nil {
		return err
	}
	if from == "" || to == "" || (fromBlobs == "") != (toBlobs == "") {
		return fmt.Errorf("%w: give --from-database and --to-database, and both or none of --from-blobs and --to-blobs", errUsage)
	}
	return server.Copy(ctx, from, to, fromBlobs, toBlobs, log)
}

func runBackup(ctx context.Context, args []string, level *slog.LevelVar, log *slog.Logger) error {
	var database, to string
	flags := flag.NewFlagSet("testrun-server backup", flag.ContinueOnError)
	flags.StringVar(&database, "database", "sqlite:"+defaultData+"/archive.db", "The database: sqlite:PATH. For PostgreSQL there is pg_dump.")
	flags.StringVar(&to, "to", "", "The file to write, which does not exist yet.")
	if err := parse(flags, args, level); err != nil {
		return err
	}
	if to == "" {
		return fmt.Errorf("%w: --to names the file to write", errUsage)
	}
	if err := server.Backup(ctx, database, to); err != nil {
		return err
	}
	log.Info("Backed up the database", "to", to)
	return nil
}
