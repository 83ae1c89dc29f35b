package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestAWrongCommandLineIsALineOfTheLog(t *testing.T) {
	for line, want := range map[string]string{
		"--verbose":                      "flag provided but not defined: -verbose",
		"serve":                          `unexpected argument "serve"`,
		"--log-level=loud":               `unknown name`,
		"--keep-output=90":               `invalid value "90" for flag -keep-output`,
		"--keep-output=-1h":              "--keep-… is a duration such as 168h, 0 or more",
		"--tls-cert=/tls.crt":            "--tls-cert and --tls-key go together",
		"--tls-next-pin=abc":             "--tls-next-pin: it is one SHA-256 in hex",
		"--max-kubelet-log=-1":           "--max-kubelet-log is a number of bytes",
		"--page-url=http://tests":        "--page-url is an address such as https://tests.example.com",
		"--page-url=https://a/b":         "--page-url is an address such as https://tests.example.com",
		"--oidc-issuer=https://a":        "--oidc-issuer needs --oidc-client-id and --page-url",
		"--oidc-client-id=a":             "--oidc-… needs --oidc-issuer",
		"--oidc-issuer=a":                "--oidc-issuer is an address such as https://login.example.com",
		"--leader-elect":                 "--namespace is needed outside a cluster",
		"copy":                           "give --from-database and --to-database",
		"copy --from-database=sqlite:/a": "give --from-database and --to-database",
		"copy --from-database=sqlite:/a --to-database=sqlite:/b --from-blobs=file:/a": "both or none of --from-blobs and --to-blobs",
		"backup":                   "--to names the file to write",
		"backup --to=/a something": `unexpected argument "something"`,
	} {
		t.Run(line, func(t *testing.T) {
			var out, logs bytes.Buffer
			err := run(t.Context(), strings.Fields(line), &out, &logs)
			if !errors.Is(err, errUsage) || out.Len() > 0 {
				t.Errorf("the error is %v, it prints %q", err, out.String())
			}
			var entry struct{ Level, Error string }
			if err := json.Unmarshal(logs.Bytes(), &entry); err != nil || entry.Level != "ERROR" || !strings.Contains(entry.Error, want) {
				t.Errorf("the log is %s, want %q", logs.String(), want)
			}
		})
	}
}

func TestHelpIsPrinted(t *testing.T) {
	for line, want := range map[string]string{
		"--help": "-keep-output", "copy --help": "-to-database", "backup -h": "-to string",
	} {
		var out, logs bytes.Buffer
		if err := run(t.Context(), strings.Fields(line), &out, &logs); err != nil || logs.Len() > 0 || !strings.Contains(out.String(), want) {
			t.Errorf("%s prints %q and logs %q, %v", line, out.String(), logs.String(), err)
		}
	}
}

func TestTheFlagsSayHowTheServerWorks(t *testing.T) {
	t.Setenv(envDatabase, "postgres://archive:secret@db/archive")
	level := &slog.LevelVar{}
	options, err := parseServe(strings.Fields("--data=/var/lib/testrun --namespace=tests --keep-output=1h --log-level=debug"), level)
	if err != nil {
		t.Fatal(err)
	}
	if options.DatabaseURL() != "postgres://archive:secret@db/archive" || options.BlobsURL() != "file:/var/lib/testrun/blobs" ||
		options.Namespace != "tests" || options.Retention.Output != time.Hour || level.Level() != slog.LevelDebug || options.LeaderElect {
		t.Errorf("they are read as %+v", options)
	}
	t.Setenv(envDatabase, "")
	if options, err = parseServe([]string{"--namespace=tests"}, level); err != nil || options.DatabaseURL() != "sqlite:/data/archive.db" {
		t.Errorf("they are read as %+v, %v", options, err)
	}
}
