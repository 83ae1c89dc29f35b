// Package blobs keeps bytes under keys: in a folder, or in a bucket of S3.
//
// A blob of the archive is one gzip member, so that several of them, one after the other, are a gzip file.
package blobs

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// Blobs keeps blobs. It may be used by many goroutines, and several processes may use the same folder or bucket.
//
// A key has up to MaxKey bytes. It has segments of letters, digits, '-', '_' and '.', divided by '/'. No segment begins with '.'.
//
// An error wraps archive.ErrNotFound if there is no such blob, and archive.ErrReadOnly if nothing more can be stored now.
type Blobs interface {
	// Put stores a blob, which has at least one byte. When it returns nil the blob survives a crash. A reader never sees a part of it. What the key held is replaced.
	Put(ctx context.Context, key string, data []byte) error
	// Get reads length bytes of a blob from an offset on, or to its end if length is negative. The part of the range that lies behind the
	// end of the blob is left out.
	Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)
	// Delete deletes blobs. Those that are not there are no error.
	Delete(ctx context.Context, keys ...string) error
	// List returns up to limit blobs, those whose key begins with prefix and comes after the given one, in order of their keys. It returns
	// fewer only if there are no more.
	List(ctx context.Context, prefix, after string, limit int) ([]Blob, error)
	// Close ends the use of the blobs.
	Close() error
}

// Blob is what List says of a blob.
type Blob struct {
	Key  string
	Size int64
	// Modified is when it was put, by the clock of where it is kept.
	Modified time.Time
}

// MaxKey is how long a key is at most, in bytes. MaxList is how many blobs List returns at most.
const (
	MaxKey  = 512
	MaxList = 1000
)

// The schemes of Open's URL.
const (
	schemeFile = "file:"
	schemeS3   = "s3:"
)

// Open opens the blobs at a URL:
//
//	file:PATH                                    a folder, which is made if it is missing
//	s3://BUCKET/PREFIX?endpoint=…&region=…       a bucket, which has to exist; endpoint is a host, or a URL, and that of AWS by default
//
// The credentials of S3 come from the environment, from the file of credentials, or from the identity of the pod, as AWS's tools have them.
func Open(ctx context.Context, url string) (Blobs, error) {
	switch {
	case strings.HasPrefix(url, schemeFile):
		return openFolder(strings.TrimPrefix(strings.TrimPrefix(url, schemeFile), "//"))
	case strings.HasPrefix(url, schemeS3):
		return openS3(ctx, url)
	}
	return nil, fmt.Errorf("blobs cannot be kept at %q: write file:PATH or s3://BUCKET/PREFIX", url)
}

// checkKey says what is wrong with a key.
func checkKey(key string) error {
	if key == "" || len(key) > MaxKey {
		return fmt.Errorf("the key of a blob has 1 to %d bytes, not %d", MaxKey, len(key))
	}
	for segment := range strings.SplitSeq(key, "/") {
		if !isSegment(segment) {
			return fmt.Errorf("a blob cannot have the key %q: segments have letters, digits, '-', '_' and '.', and do not begin with '.'", key)
		}
	}
	return nil
}

// checkPut says what is wrong with a Put.
func checkPut(key string, data []byte) error {
	if len(data) == 0 {
		return fmt.Errorf("the blob %s would be empty: not every S3 keeps such", key)
	}
	return checkKey(key)
}

// maxSegment is how long a file's name may be, less what the folder adds.
const maxSegment = 250

func isSegment(segment string) bool {
	if segment == "" || len(segment) > maxSegment || segment[0] == '.' {
		return false
	}
	return !strings.ContainsFunc(segment, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

// checkRange says what is wrong with the range of a Get.
func checkRange(offset int64) error {
	if offset < 0 {
		return fmt.Errorf("a blob has no byte at %d", offset)
	}
	return nil
}

// listLimit bounds the limit of a List.
func listLimit(limit int) int { return min(max(limit, 1), MaxList) }
