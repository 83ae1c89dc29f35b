package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/ingest"
	"github.com/testrun-dev/testrun/internal/archivestatus"
	"github.com/testrun-dev/testrun/internal/page"
	"github.com/testrun-dev/testrun/internal/server"
)

const defaultData = "/data"

// envDatabase holds the URL of the database if the flag does not: a password belongs into a Secret.
const envDatabase = "TESTRUN_DATABASE"

// helpError is not an error: somebody asked for help.
type helpError struct{ text string }

func (*helpError) Error() string { return "help" }

// parse reads the flags of a command. It prints nothing: a wrong flag is a line of the log too.
func parse(flags *flag.FlagSet, args []string, level *slog.LevelVar) error {
	flags.SetOutput(io.Discard)
	var levelText string
	flags.StringVar(&levelText, "log-level", "info", "What is logged: debug, info, warn or error, and what is worse.")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		var text strings.Builder
		fmt.Fprintf(&text, "usage: %s [flags]\n", flags.Name())
		flags.SetOutput(&text)
		flags.PrintDefaults()
		return &helpError{text.String()}
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q: beside copy and backup, which come first, there are flags only", flags.Arg(0))
	}
	if err == nil {
		err = level.UnmarshalText([]byte(levelText))
	}
	if err != nil {
		return fmt.Errorf("%w, see --help: %w", errUsage, err)
	}
	return nil
}

// parseServe reads the flags of the server.
func parseServe(args []string, level *slog.LevelVar) (options server.Options, err error) {
	flags := flag.NewFlagSet("testrun-server", flag.ContinueOnError)
	if kubeconfig := flag.CommandLine.Lookup("kubeconfig"); kubeconfig != nil {
		flags.Var(kubeconfig.Value, kubeconfig.Name, kubeconfig.Usage)
	}
	flags.StringVar(&options.DataDir, "data", defaultData, "Folder of the server's key, and by default of the database and the blobs.")
	flags.StringVar(&options.Database, "database", "", "sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE. Empty is what the variable "+
		envDatabase+" says, or else archive.db in the folder --data.")
	flags.StringVar(&options.Blobs, "blobs", "", "file:PATH or s3://BUCKET/PREFIX?endpoint=…. Empty is blobs in the folder --data.")
	flags.StringVar(&options.APIAddress, "api-bind-address", ":8443", "Address of the API, over HTTPS.")
	flags.StringVar(&options.PushAddress, "push-bind-address", ":9443", "Address at which runners push, over HTTPS.")
	flags.StringVar(&options.HealthAddress, "health-probe-bind-address", ":8081", "Address of /healthz, /readyz and /metrics, over HTTP.")
	flags.StringVar(&options.CertFile, "tls-cert", "", "Certificate of the server, in PEM. Empty is one of its own, which it makes once.")
	flags.StringVar(&options.KeyFile, "tls-key", "", "Key of the server, in PEM.")
	flags.StringVar(&options.NextPin, "tls-next-pin", "", "Pin of the key that will be used next: the SHA-256 of its SubjectPublicKeyInfo, in hex.")
	flags.StringVar(&options.SessionKeyFile, "session-key", "", "File with 32 bytes that seal the sessions of the pages, the same for all replicas. Empty is one that the server makes once.")
	flags.DurationVar(&options.SessionTime, "session-time", page.DefaultSessionTime, "How long somebody stays logged in at most.")
	loginFlags(flags, &options.Login)
	flags.BoolVar(&options.LeaderElect, "leader-elect", false, "Let one of several replicas watch at a time.")
	flags.StringVar(&options.Namespace, "namespace", "", "Namespace of the ConfigMap and the Lease "+archivestatus.ConfigMap+"; needed outside a cluster only.")
	flags.Int64Var(&options.MaxLog, "max-kubelet-log", 10<<20, "How many bytes are read of the log of a pod that has not pushed.")
	options.Retention = archive.DefaultPolicy
	flags.DurationVar(&options.Retention.PassedOutput, "keep-passed-output", options.Retention.PassedOutput, "How long the output of passed runs is kept; 0 is for ever.")
	flags.DurationVar(&options.Retention.Output, "keep-output", options.Retention.Output, "How long the output of other runs is kept; 0 is for ever.")
	flags.DurationVar(&options.Retention.Artifacts, "keep-artifacts", options.Retention.Artifacts, "How long artifacts are kept; 0 is for ever.")
	flags.DurationVar(&options.Retention.Rows, "keep-rows", options.Retention.Rows, "How long runs and their cases are kept; 0 is for ever.")
	limitFlags(flags, &options.Limits)
	if err := parse(flags, args, level); err != nil {
		return options, err
	}
	if options.Database == "" {
		options.Database = os.Getenv(envDatabase)
	}
	err = check(&options)
	return options, err
}

func loginFlags(flags *flag.FlagSet, login *server.Login) {
	flags.StringVar(&login.PageURL, "page-url", "", "Where browsers find the pages, as in https://tests.example.com; needed with --oidc-issuer.")
	flags.StringVar(&login.Issuer, "oidc-issuer", "", "OIDC provider through which people log in, which the API server trusts too. Empty is none.")
	flags.StringVar(&login.ClientID, "oidc-client-id", "", "What the server is called at the provider.")
	flags.StringVar(&login.ClientSecretFile, "oidc-client-secret-file", "", "File with the secret of that client. Empty is a client without one.")
	flags.StringVar(&login.Scopes, "oidc-scopes", "profile,email", "What the provider is asked for beside openid, with commas between.")
	flags.StringVar(&login.CAFile, "oidc-ca-file", "", "Certificates in PEM of who signs that of the provider. Empty are those of the system.")
}

func limitFlags(flags *flag.FlagSet, limits *ingest.Limits) {
	*limits = ingest.DefaultLimits()
	flags.Int64Var(&limits.RunBytes, "max-run-bytes", limits.RunBytes, "How many bytes of output and artifacts are kept of a run.")
	flags.Int64Var(&limits.RunCases, "max-run-cases", limits.RunCases, "How many cases are kept of a run.")
	flags.Int64Var(&limits.NamespaceBytes, "max-namespace-bytes", limits.NamespaceBytes, "How many bytes are kept of the runs of a namespace.")
}

// check refuses what cannot be meant.
func check(options *server.Options) error {
	if (options.CertFile == "") != (options.KeyFile == "") {
		return fmt.Errorf("%w: --tls-cert and --tls-key go together", errUsage)
	}
	if options.NextPin != "" {
		pins, err := archivestatus.ParsePins(options.NextPin)
		if err != nil || len(pins) != 1 {
			return fmt.Errorf("%w: --tls-next-pin: it is one SHA-256 in hex, 64 characters", errUsage)
		}
		options.NextPin = pins[0]
	}
	if options.SessionTime <= 0 {
		return fmt.Errorf("%w: --session-time is a duration such as 12h, above 0", errUsage)
	}
	if err := options.Login.Check(); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if options.MaxLog < 0 {
		return fmt.Errorf("%w: --max-kubelet-log is a number of bytes, 0 or more", errUsage)
	}
	policy := options.Retention
	if min(policy.PassedOutput, policy.Output, policy.Artifacts, policy.Rows) < 0 {
		return fmt.Errorf("%w: --keep-… is a duration such as 168h, 0 or more", errUsage)
	}
	if options.Namespace == "" {
		namespace, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
		if err != nil {
			return fmt.Errorf("%w: --namespace is needed outside a cluster", errUsage)
		}
		options.Namespace = strings.TrimSpace(string(namespace))
	}
	return nil
}
