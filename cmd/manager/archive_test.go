package main

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/controllers"
)

const (
	address = "https://testrun-archive.testrun-system.svc:9443"
	home    = "testrun-system"
)

func pin(digit string) string { return strings.Repeat(digit, 64) }

func TestTheFlagsOfTheArchiveAreRead(t *testing.T) {
	for name, test := range map[string]struct {
		flags archiveFlags
		want  controllers.Archive
	}{
		"no archive":               {archiveFlags{patience: time.Hour}, controllers.Archive{Patience: time.Hour}},
		"the server tells the pin": {archiveFlags{url: address}, controllers.Archive{URL: address, Namespace: home}},
		"a slash at the end":       {archiveFlags{url: address + "/"}, controllers.Archive{URL: address, Namespace: home}},
		"without a port":           {archiveFlags{url: "https://10.0.0.1"}, controllers.Archive{URL: "https://10.0.0.1", Namespace: home}},
		"an address in brackets":   {archiveFlags{url: "https://[fd00::1]:9443"}, controllers.Archive{URL: "https://[fd00::1]:9443", Namespace: home}},
		"a pin":                    {archiveFlags{url: address, pins: pin("A")}, controllers.Archive{URL: address, Namespace: home, Pins: []string{pin("a")}}},
		"two pins":                 {archiveFlags{url: address, pins: pin("a") + "," + pin("b")}, controllers.Archive{URL: address, Namespace: home, Pins: []string{pin("a"), pin("b")}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newArchive(test.flags, home)
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("it is read as %+v, %v; want %+v", got, err, test.want)
			}
		})
	}
}

func TestAFlagOfTheArchiveThatCannotBeMeantIsRefused(t *testing.T) {
	const urls = ": it is https://HOST:PORT, where the server takes what tests push"
	for name, test := range map[string]struct {
		flags archiveFlags
		says  string
	}{
		"without TLS":        {archiveFlags{url: "http://archive:9443"}, `--archive-url is "http://archive:9443"` + urls},
		"a name alone":       {archiveFlags{url: "archive:9443"}, `--archive-url is "archive:9443"` + urls},
		"a port alone":       {archiveFlags{url: "https://:9443"}, `--archive-url is "https://:9443"` + urls},
		"port 0":             {archiveFlags{url: "https://archive:0"}, `--archive-url is "https://archive:0"` + urls},
		"a port too high":    {archiveFlags{url: "https://archive:65536"}, `--archive-url is "https://archive:65536"` + urls},
		"no port":            {archiveFlags{url: "https://archive:"}, `--archive-url is "https://archive:"` + urls},
		"a path":             {archiveFlags{url: "https://archive/push"}, `--archive-url is "https://archive/push"` + urls},
		"a password":         {archiveFlags{url: "https://me:secret@archive"}, `--archive-url is "https://me:xxxxx@archive"` + urls},
		"a query":            {archiveFlags{url: "https://archive?a=b"}, `--archive-url is "https://archive?a=b"` + urls},
		"a space":            {archiveFlags{url: "https://archive :9443"}, `--archive-url is "https://archive :9443"` + urls},
		"a pin without URL":  {archiveFlags{pins: pin("a")}, "--archive-pin is set, and --archive-url is not: set the URL of the server's push port too"},
		"a pin of base64":    {archiveFlags{url: address, pins: "sha256/AAAA"}, `--archive-pin: "sha256/aaaa" is no pin: a pin is a SHA-256 in hex, 64 characters; two are separated by a comma`},
		"three pins":         {archiveFlags{url: address, pins: pin("a") + "," + pin("b") + "," + pin("c")}, "--archive-pin: 194 characters are more than 2 pins have; two are separated by a comma"},
		"a comma at the end": {archiveFlags{url: address, pins: pin("a") + ","}, `--archive-pin: "" is no pin: a pin is a SHA-256 in hex, 64 characters; two are separated by a comma`},
		"a negative time":    {archiveFlags{patience: -time.Hour}, "--retention-waits-for-archive is -1h0m0s: it is a time such as 24h, or 0 to wait for nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := newArchive(test.flags, home); err == nil || err.Error() != test.says {
				t.Errorf("it says %v, want %q", err, test.says)
			}
		})
	}
}

func TestOutsideAClusterTheNamespaceHasToBeNamed(t *testing.T) {
	if _, err := ownNamespace("", filepath.Join(t.TempDir(), "namespace")); err == nil || !strings.Contains(err.Error(), "--leader-election-namespace names it") {
		t.Errorf("it says %v", err)
	}
}
