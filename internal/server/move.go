package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/blobs"
)

// Copy copies all rows from one database to another one, which may be of the other kind, and all blobs if they are given. What is there
// already stays, so it can be called again after it was interrupted. No server is to write to either of them meanwhile.
func Copy(ctx context.Context, fromDatabase, toDatabase, fromBlobs, toBlobs string, log *slog.Logger) error {
	from, err := openExisting(ctx, fromDatabase)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := archive.Open(ctx, toDatabase)
	if err != nil {
		return fmt.Errorf("opening the new database: %w", err)
	}
	defer to.Close()
	// A row without its blob would be wrong, a blob without its row is garbage.
	if fromBlobs != "" {
		if err := copyBlobs(ctx, fromBlobs, toBlobs, log); err != nil {
			return err
		}
	}
	err = from.CopyTo(ctx, to, func(table string, rows int64) {
		log.Info("Copied rows", "table", table, "rows", rows)
	})
	if err != nil {
		return fmt.Errorf("copying the database: %w", err)
	}
	return nil
}

func copyBlobs(ctx context.Context, fromURL, toURL string, log *slog.Logger) error {
	from, err := blobs.Open(ctx, fromURL)
	if err != nil {
		return fmt.Errorf("opening the old blobs: %w", err)
	}
	defer from.Close()
	to, err := blobs.Open(ctx, toURL)
	if err != nil {
		return fmt.Errorf("opening the new blobs: %w", err)
	}
	defer to.Close()
	// Both lists are in the order of the keys, so one walk finds what is missing.
	there, copied := &walk{blobs: to}, 0
	for old := (&walk{blobs: from}); ; {
		blob, ok, err := old.next(ctx)
		if err != nil || !ok {
			log.Info("Copied blobs", "blobs", copied)
			return err
		}
		has, err := there.has(ctx, blob)
		if err != nil {
			return err
		}
		if has {
			continue
		}
		if err := copyBlob(ctx, from, to, blob.Key); err != nil {
			return fmt.Errorf("copying blob %s: %w", blob.Key, err)
		}
		copied++
	}
}

func copyBlob(ctx context.Context, from, to blobs.Blobs, key string) error {
	body, err := from.Get(ctx, key, 0, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	return to.Put(ctx, key, data)
}

// walk lists blobs in the order of their keys.
type walk struct {
	blobs blobs.Blobs
	page  []blobs.Blob
	after string
	ended bool
}

func (w *walk) peek(ctx context.Context) (*blobs.Blob, error) {
	if len(w.page) == 0 && !w.ended {
		page, err := w.blobs.List(ctx, "", w.after, blobs.MaxList)
		if err != nil {
			return nil, fmt.Errorf("listing blobs: %w", err)
		}
		w.page, w.ended = page, len(page) < blobs.MaxList
	}
	if len(w.page) == 0 {
		return nil, nil //nolint:nilnil // there is no other
	}
	return &w.page[0], nil
}

func (w *walk) next(ctx context.Context) (blob blobs.Blob, ok bool, err error) {
	first, err := w.peek(ctx)
	if err != nil || first == nil {
		return blob, false, err
	}
	blob, w.after, w.page = *first, first.Key, w.page[1:]
	return blob, true, nil
}

// has says whether there is a blob of that key and size. It is asked for keys in their order.
func (w *walk) has(ctx context.Context, blob blobs.Blob) (bool, error) {
	for {
		first, err := w.peek(ctx)
		if err != nil || first == nil || first.Key > blob.Key {
			return false, err
		}
		w.after, w.page = first.Key, w.page[1:]
		if first.Key == blob.Key {
			return first.Size == blob.Size, nil
		}
	}
}

// openExisting opens a database, and makes none.
func openExisting(ctx context.Context, url string) (*archive.Store, error) {
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("opening the database: %w", err)
		}
	}
	store, err := archive.Open(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	return store, nil
}

// Backup writes a copy of a SQLite database to a file that does not exist yet. The server may work meanwhile.
func Backup(ctx context.Context, database, path string) error {
	if !strings.HasPrefix(database, "sqlite:") {
		return fmt.Errorf("backup is for SQLite: use pg_dump for PostgreSQL")
	}
	store, err := openExisting(ctx, database)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := store.Backup(ctx, path); err != nil {
		return fmt.Errorf("backing up the database: %w", err)
	}
	return nil
}
