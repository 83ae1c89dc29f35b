package blobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/testrun-dev/testrun/internal/archive"
)

// tested are blobs that a test is about.
type tested struct {
	*testing.T
	Blobs
}

// each runs a test against a folder, and against S3.
func each(t *testing.T, test func(b tested)) {
	t.Helper()
	t.Run("folder", func(t *testing.T) { test(tested{t, open(t, "file:"+t.TempDir())}) })
	t.Run("S3", func(t *testing.T) { test(tested{t, open(t, s3URL(t, "kept/blobs", nil))}) })
}

func open(t *testing.T, url string) Blobs {
	t.Helper()
	b, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// s3URL starts an S3 with the bucket "archive" and returns where a prefix of it is. Requests go through the given function first, which says
// whether it has answered.
func s3URL(t *testing.T, prefix string, answered func(http.ResponseWriter, *http.Request) bool) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("archive"); err != nil {
		t.Fatal(err)
	}
	s3 := gofakes3.New(backend).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answered == nil || !answered(w, r) {
			s3.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "somebody")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	return "s3://archive/" + prefix + "?region=us-east-1&endpoint=" + server.URL
}

func put(t *testing.T, b Blobs, key, text string) {
	t.Helper()
	if err := b.Put(t.Context(), key, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, b Blobs, key string, offset, length int64) string {
	t.Helper()
	body, err := b.Get(t.Context(), key, offset, length)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func list(t *testing.T, b Blobs, prefix, after string, limit int) string {
	t.Helper()
	found, err := b.List(t.Context(), prefix, after, limit)
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]string, 0, len(found))
	for _, blob := range found {
		keys = append(keys, blob.Key)
	}
	return strings.Join(keys, " ")
}

func TestABlobIsReadAsItWasPut(t *testing.T) {
	each(t, func(b tested) {
		t := b.T
		put(t, b, "ab/abcd/1/output", "0123456789")
		large := strings.Repeat("many bytes ", 200_000)
		put(t, b, "large", large)
		for name, c := range map[string]struct {
			key            string
			offset, length int64
			want           string
		}{
			"all":                         {"ab/abcd/1/output", 0, -1, "0123456789"},
			"from an offset on":           {"ab/abcd/1/output", 7, -1, "789"},
			"a range":                     {"ab/abcd/1/output", 2, 3, "234"},
			"the first byte":              {"ab/abcd/1/output", 0, 1, "0"},
			"no byte":                     {"ab/abcd/1/output", 2, 0, ""},
			"a range beyond the end":      {"ab/abcd/1/output", 8, 100, "89"},
			"a range at the end":          {"ab/abcd/1/output", 10, 1, ""},
			"a range far behind the end":  {"ab/abcd/1/output", 1 << 40, -1, ""},
			"a large blob":                {"large", 0, -1, large},
			"the last bytes of the large": {"large", int64(len(large)) - 6, 6, "bytes "},
		} {
			if got := read(t, b, c.key, c.offset, c.length); got != c.want {
				t.Errorf("%s: %d bytes, %.20q, instead of %d bytes, %.20q", name, len(got), got, len(c.want), c.want)
			}
		}
	})
}

func TestABlobIsReplaced(t *testing.T) {
	each(t, func(b tested) {
		t := b.T
		put(t, b, "a", "first")
		put(t, b, "a", "2nd")
		if got := read(t, b, "a", 0, -1); got != "2nd" {
			t.Errorf("it is %q", got)
		}
		if got := list(t, b, "", "", 10); got != "a" {
			t.Errorf("listed are %q", got)
		}
	})
}

func TestWhatIsDeletedIsGone(t *testing.T) {
	each(t, func(b tested) {
		t := b.T
		put(t, b, "a/b/c", "1")
		put(t, b, "a/b", "2")
		put(t, b, "a/d", "3")
		if err := b.Delete(t.Context(), "a/b/c", "never/there", "a/b/c/d", "a/d"); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"a/b/c", "never/there", "a", "a/b/c/d"} {
			if _, err := b.Get(t.Context(), key, 0, -1); !errors.Is(err, archive.ErrNotFound) {
				t.Errorf("reading %s: %v", key, err)
			}
			if _, err := b.Get(t.Context(), key, 5, 1); !errors.Is(err, archive.ErrNotFound) {
				t.Errorf("reading a part of %s: %v", key, err)
			}
		}
		if got := list(t, b, "", "", 10); got != "a/b" {
			t.Errorf("listed are %q", got)
		}
		if err := b.Delete(t.Context()); err != nil {
			t.Errorf("deleting nothing: %v", err)
		}
	})
}

func TestBlobsAreListedInPages(t *testing.T) {
	each(t, func(b tested) {
		t := b.T
		// These are the keys in their order, which is not that of their folders: '-' and '.' come before '/'.
		keys := []string{"A", "a", "a-", "a-b/c", "a.b", "a/a", "a/b", "a/b-", "a/b/c", "a/b/c/d", "a0", "a_", "ab/c", "b"}
		for _, i := range []int{5, 0, 13, 7, 2, 9, 11, 4, 1, 12, 3, 8, 10, 6} {
			put(t, b, keys[i], "x")
		}
		for _, prefix := range []string{"", "a", "a/", "a/b", "a/b/", "a-", "ab/", "b", "c", "a/b/c/d/e"} {
			for limit := 1; limit <= len(keys)+1; limit++ {
				var want, got []string
				for _, key := range keys {
					if strings.HasPrefix(key, prefix) {
						want = append(want, key)
					}
				}
				for after := ""; ; {
					page := strings.Fields(list(t, b, prefix, after, limit))
					got = append(got, page...)
					if len(page) < limit {
						break
					}
					after = page[limit-1]
				}
				if !slices.Equal(got, want) {
					t.Fatalf("with %q, in pages of %d, listed are %q instead of %q", prefix, limit, got, want)
				}
			}
		}
		if got := list(t, b, "", "a/b/b", 2); got != "a/b/c a/b/c/d" {
			t.Errorf("after a key that is not there: %q", got)
		}
	})
}

func TestAListSaysHowLargeAndHowOldABlobIs(t *testing.T) {
	each(t, func(b tested) {
		t := b.T
		put(t, b, "a", "1234")
		put(t, b, "b", "1")
		found, err := b.List(t.Context(), "", "", 10)
		if err != nil || len(found) != 2 || found[0].Size != 4 || found[1].Size != 1 {
			t.Fatalf("found %+v, %v", found, err)
		}
		if found[0].Modified.IsZero() || found[1].Modified.Before(found[0].Modified) {
			t.Errorf("the first was put at %v, and the second at %v", found[0].Modified, found[1].Modified)
		}
	})
}

func TestAKeyThatCannotBeIsRefused(t *testing.T) {
	each(t, func(b tested) {
		t := b.T
		for _, key := range []string{
			"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", ".a", "a/.unfinished", "a~", "a b", "ä", "a\x00", "a\\b", "a\nb", "%2e%2e/a",
			strings.Repeat("a", maxSegment+1), strings.Repeat("a/", MaxKey/2) + "aa",
		} {
			if err := b.Put(t.Context(), key, []byte("x")); err == nil {
				t.Errorf("a blob was put under %q", key)
			}
			if _, err := b.Get(t.Context(), key, 0, -1); err == nil || errors.Is(err, archive.ErrNotFound) {
				t.Errorf("reading %q: %v", key, err)
			}
			if err := b.Delete(t.Context(), key); err == nil {
				t.Errorf("deleting %q is no error", key)
			}
		}
		put(t, b, strings.Repeat("a", maxSegment)+"/"+strings.Repeat("b", MaxKey-maxSegment-1-maxSegment-1)+"/"+strings.Repeat("c", maxSegment), "long")
		if err := b.Put(t.Context(), "empty", nil); err == nil {
			t.Error("an empty blob was put")
		}
		if _, err := b.Get(t.Context(), "a", -1, 1); err == nil {
			t.Error("a negative offset is no error")
		}
	})
}

func TestManyAtOnceDoNotDisturbEachOther(t *testing.T) {
	each(t, func(b tested) {
		t := b.T
		// All are in the same folders, which become empty again and again.
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range 40 {
					key, text := fmt.Sprintf("x/y/%d", i), fmt.Sprint(i, " ", j)
					err := b.Put(t.Context(), key, []byte(text))
					if err != nil {
						t.Errorf("putting %s: %v", key, err)
						return
					}
					body, err := b.Get(t.Context(), key, 0, -1)
					if err != nil {
						t.Errorf("reading %s: %v", key, err)
						return
					}
					got, err := io.ReadAll(body)
					if err := errors.Join(err, body.Close(), b.Delete(t.Context(), key)); err != nil || string(got) != text {
						t.Errorf("%s is %q: %v", key, got, err)
					}
				}
			})
		}
		all.Wait()
		if got := list(t, b, "", "", 10); got != "" {
			t.Errorf("there still are %q", got)
		}
	})
}

func TestACancelledRequestDoesNothing(t *testing.T) {
	each(t, func(b tested) {
		t := b.T
		put(t, b, "a", "1")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, errGet := b.Get(ctx, "a", 0, -1)
		_, errList := b.List(ctx, "", "", 1)
		for what, err := range map[string]error{"put": b.Put(ctx, "b", []byte("x")), "get": errGet, "delete": b.Delete(ctx, "a"), "list": errList} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if got := list(t, b, "", "", 10); got != "a" {
			t.Errorf("listed are %q", got)
		}
	})
}

func TestUnpackTakesOneWholeMemberOfTheSaidLength(t *testing.T) {
	text := []byte(strings.Repeat("some text ", 1000))
	packed := Pack(text)
	got, err := Unpack(packed, int64(len(text)))
	if err != nil || !bytes.Equal(got, text) {
		t.Fatalf("it is not what was packed: %v", err)
	}
	damaged := bytes.Clone(packed)
	damaged[len(damaged)-8] ^= 1 // in the checksum
	bomb := Pack(make([]byte, 64<<20))
	for name, c := range map[string]struct {
		packed []byte
		length int
	}{
		"nothing":                       {nil, 1},
		"no gzip":                       {text, len(text)},
		"a length that is too small":    {packed, len(text) - 1},
		"a length that is too large":    {packed, len(text) + 1},
		"a wrong checksum":              {damaged, len(text)},
		"what breaks off in the header": {packed[:5], len(text)},
		"what breaks off in the middle": {packed[:len(packed)/2], len(text)},
		"what breaks off at the end":    {packed[:len(packed)-1], len(text)},
		"another member behind it":      {slices.Concat(packed, packed), len(text)},
		"bytes behind it":               {slices.Concat(packed, []byte{0}), len(text)},
		"a bomb":                        {bomb, 1 << 20},
	} {
		if _, err := Unpack(c.packed, int64(c.length)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestAnAddressThatCannotBeIsRefused(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "somebody")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{
		"", "/data", "file:", "ftp://x", "file:" + file, "s3:", "s3://", "s3:///prefix", "s3://b?endpont=x", "s3://b/../c", "s3://b?endpoint=ftp://x",
		"s3://b?endpoint=http://", "s3://b?endpoint=http://x/path", "s3://key:password@b", "s3://b\x7f",
	} {
		b, err := Open(t.Context(), url)
		if err == nil {
			_ = b.Close()
			t.Errorf("%q is opened", url)
		} else if strings.Contains(err.Error(), "password") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}
