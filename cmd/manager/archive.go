package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/testrun-dev/testrun/controllers"
	"github.com/testrun-dev/testrun/internal/archivestatus"
)

// namespaceFile is where a pod finds its namespace.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// archiveFlags are the flags about the archive, as they were given.
type archiveFlags struct {
	url, pins string
	patience  time.Duration
}

// newArchive reads the flags. leaderNamespace is --leader-election-namespace.
func newArchive(flags archiveFlags, leaderNamespace string) (controllers.Archive, error) {
	archive := controllers.Archive{Patience: flags.patience}
	if flags.patience < 0 {
		return archive, fmt.Errorf("--retention-waits-for-archive is %s: it is a time such as 24h, or 0 to wait for nothing", flags.patience)
	}
	if flags.url == "" {
		if flags.pins != "" {
			return archive, errors.New("--archive-pin is set, and --archive-url is not: set the URL of the server's push port too")
		}
		return archive, nil
	}
	var err error
	if archive.URL, err = archiveURL(flags.url); err != nil {
		return archive, err
	}
	if flags.pins != "" {
		if archive.Pins, err = archivestatus.ParsePins(flags.pins); err != nil {
			return archive, fmt.Errorf("--archive-pin: %w; two are separated by a comma", err)
		}
	}
	archive.Namespace, err = ownNamespace(leaderNamespace, namespaceFile)
	return archive, err
}

// archiveURL is the URL without a slash at its end.
func archiveURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err == nil {
		text = u.Redacted()
	}
	if err != nil || !hasPort(u) || u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return "", fmt.Errorf("--archive-url is %q: it is https://HOST:PORT, where the server takes what tests push", text)
	}
	return u.Scheme + "://" + u.Host, nil
}

// hasPort says whether a connection can be made to the port that the URL names, if it names one.
func hasPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}

// ownNamespace is the operator's: the one that is named, or the one that the file holds.
func ownNamespace(named, file string) (string, error) {
	if named != "" {
		return named, nil
	}
	content, err := os.ReadFile(file)
	namespace := strings.TrimSpace(string(content))
	if err == nil && namespace == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return "", fmt.Errorf("--archive-url is set, and the operator's namespace is not known, where the archive's ConfigMap is (outside a cluster, "+
			"--leader-election-namespace names it): reading %s: %w", file, err)
	}
	return namespace, nil
}
