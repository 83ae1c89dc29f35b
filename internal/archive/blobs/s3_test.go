package blobs

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/testrun-dev/testrun/internal/archive"
)

// refusal answers as S3 does.
func refusal(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code><Message>so it is</Message></Error>")
}

func TestOpenSaysWhatIsWrongWithABucket(t *testing.T) {
	refuse := func(status int, code string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			refusal(w, status, code)
			return true
		}
	}
	for name, c := range map[string]struct {
		answered func(http.ResponseWriter, *http.Request) bool
		change   func(t *testing.T, url string) string
		want     string
	}{
		"another name":   {nil, func(_ *testing.T, url string) string { return strings.Replace(url, "archive", "other", 1) }, "there is no bucket other at"},
		"an unknown key": {refuse(http.StatusForbidden, "InvalidAccessKeyId"), nil, "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"},
		"a wrong key":    {refuse(http.StatusForbidden, "SignatureDoesNotMatch"), nil, "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"},
		"too few rights": {refuse(http.StatusForbidden, "AccessDenied"), nil, "they need s3:ListBucket"},
		"no credentials": {nil, func(t *testing.T, url string) string {
			t.Helper()
			t.Setenv("AWS_ACCESS_KEY_ID", "")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "")
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
			t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
			return url
		}, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"},
	} {
		t.Run(name, func(t *testing.T) {
			url := s3URL(t, "", c.answered)
			if c.change != nil {
				url = c.change(t, url)
			}
			if _, err := Open(t.Context(), url); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it says %v, and not %q", err, c.want)
			}
		})
	}
}

func TestCredentialsComeFromAFile(t *testing.T) {
	var signed atomic.Value
	url := s3URL(t, "", func(_ http.ResponseWriter, r *http.Request) bool {
		signed.Store(r.Header.Get("Authorization"))
		return false
	})
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte("[default]\naws_access_key_id = of-the-file\naws_secret_access_key = secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	open(t, url)
	if header, _ := signed.Load().(string); !strings.Contains(header, "Credential=of-the-file/") {
		t.Errorf("it was signed with %q", header)
	}
}

func TestARequestIsMadeAgain(t *testing.T) {
	var failures atomic.Int32
	b := open(t, s3URL(t, "", func(w http.ResponseWriter, _ *http.Request) bool {
		if failures.Add(-1) < 0 {
			return false
		}
		refusal(w, http.StatusServiceUnavailable, "SlowDown")
		return true
	}))
	failures.Store(2)
	put(t, b, "a", "text")
	failures.Store(2)
	if got := read(t, b, "a", 0, -1); got != "text" {
		t.Errorf("it is %q", got)
	}
}

func TestAFullBucketIsReadOnly(t *testing.T) {
	for code, status := range map[string]int{"XMinioAdminBucketQuotaExceeded": http.StatusBadRequest, "Other": http.StatusInsufficientStorage} {
		var full atomic.Bool
		b := open(t, s3URL(t, "", func(w http.ResponseWriter, r *http.Request) bool {
			if full.Load() && r.Method == http.MethodPut {
				refusal(w, status, code)
				return true
			}
			return false
		}))
		put(t, b, "a", "kept")
		full.Store(true)
		if err := b.Put(t.Context(), "b", []byte("x")); !errors.Is(err, archive.ErrReadOnly) {
			t.Errorf("in a bucket that is full, %s: %v", code, err)
		}
		if got := read(t, b, "a", 0, -1); got != "kept" {
			t.Errorf("what is kept is %q", got)
		}
	}
}

func TestWhatOthersKeepInTheBucketIsNotListed(t *testing.T) {
	whole := s3URL(t, "", nil)
	others := open(t, whole)
	ours := open(t, strings.Replace(whole, "archive/", "archive/kept", 1))
	put(t, others, "keptnot", "x")
	put(t, others, "a", "x")
	put(t, ours, "b", "x")
	if got := list(t, ours, "", "", 10); got != "b" {
		t.Errorf("listed are %q", got)
	}
	if got := list(t, others, "", "", 10); got != "a kept/b keptnot" {
		t.Errorf("listed are %q", got)
	}
}
