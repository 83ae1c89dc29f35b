package blobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"golang.org/x/sync/errgroup"

	"github.com/testrun-dev/testrun/internal/archive"
)

// bucket keeps each blob in an object of S3: prefix and key are its name.
type bucket struct {
	client *minio.Core
	name   string
	// prefix is empty, or ends with '/'.
	prefix string
}

const (
	// maxTries is how often a request is made that may succeed next time. The waits between them add up to about two seconds.
	maxTries = 4
	// deletesAtOnce is how many objects are deleted at the same time. Not every S3 can delete several with one request.
	deletesAtOnce = 16
)

func openS3(ctx context.Context, address string) (Blobs, error) {
	b, err := parseS3(address)
	if err != nil {
		return nil, fmt.Errorf("%w: write s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION", err)
	}
	found, err := b.client.GetCreds()
	if err == nil && found.SignerType.IsAnonymous() {
		err = errors.New("no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file of credentials in " +
			"AWS_SHARED_CREDENTIALS_FILE")
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", b, err)
	}
	// One look at the bucket says whether the address and the credentials are right.
	if _, err := b.List(ctx, "", "", 1); err != nil {
		return nil, fmt.Errorf("opening %s: %w", b, err)
	}
	return b, nil
}

// The parameters of the URL.
const (
	paramEndpoint = "endpoint"
	paramRegion   = "region"
)

const defaultEndpoint = "https://s3.amazonaws.com"

func parseS3(address string) (*bucket, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the address of the bucket is no URL") // what the parser says repeats all of it
	}
	if u.User != nil {
		return nil, errors.New("the address of a bucket holds no credentials: they come from the environment")
	}
	query := u.Query()
	for name := range query {
		if name != paramEndpoint && name != paramRegion {
			return nil, fmt.Errorf("the address of the bucket has the unknown parameter %q", name)
		}
	}
	prefix := strings.Trim(u.Path, "/")
	if u.Host == "" || prefix != "" && checkKey(prefix) != nil {
		return nil, fmt.Errorf("no bucket is at %q", u.Redacted())
	}
	if prefix != "" {
		prefix += "/"
	}
	host, secure, err := endpointOf(query.Get(paramEndpoint))
	if err != nil {
		return nil, err
	}
	client, err := minio.NewCore(host, &minio.Options{
		Creds: credentials.NewChainCredentials(providers()), Secure: secure, MaxRetries: maxTries,
		Region: firstOf(query.Get(paramRegion), os.Getenv("AWS_REGION")),
	})
	if err != nil {
		return nil, fmt.Errorf("the endpoint %q: %w", host, err)
	}
	return &bucket{client, u.Host, prefix}, nil
}

func endpointOf(text string) (host string, secure bool, err error) {
	if text == "" {
		text = defaultEndpoint
	}
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", false, errors.New("the endpoint is no host, and no URL of one")
	}
	return u.Host, u.Scheme == "https", nil
}

// providers are where credentials may come from. Where neither a variable nor a file says so, nothing on the network is asked.
func providers() []credentials.Provider {
	list := []credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}}
	for _, name := range []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		if os.Getenv(name) != "" {
			return append(list, &credentials.IAM{})
		}
	}
	return list
}

func firstOf(texts ...string) string {
	if i := slices.IndexFunc(texts, func(text string) bool { return text != "" }); i >= 0 {
		return texts[i]
	}
	return ""
}

// String is the bucket's address for people.
func (b *bucket) String() string {
	return fmt.Sprintf("the bucket %s at %s", b.name, b.client.EndpointURL().Host)
}

func (b *bucket) Close() error { return nil }

func (b *bucket) Put(ctx context.Context, key string, data []byte) error {
	if err := checkPut(key, data); err != nil {
		return err
	}
	_, err := b.client.Client.PutObject(ctx, b.name, b.prefix+key, bytes.NewReader(data), int64(len(data)),
		minio.PutObjectOptions{ContentType: "application/gzip", DisableMultipart: true})
	if err != nil {
		return fmt.Errorf("storing the blob %s: %w", key, b.explain(err))
	}
	return nil
}

func (b *bucket) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := errors.Join(checkKey(key), checkRange(offset)); err != nil {
		return nil, err
	}
	var options minio.GetObjectOptions
	var err error
	switch {
	case length >= 0: // S3 knows no range without a byte
		err = options.SetRange(offset, offset+max(length, 1)-1)
	case offset > 0:
		err = options.SetRange(offset, 0)
	}
	if err != nil {
		return nil, err
	}
	body, _, _, err := b.client.GetObject(ctx, b.name, b.prefix+key, options)
	switch {
	case err == nil && length >= 0:
		return struct {
			io.Reader
			io.Closer
		}{io.LimitReader(body, length), body}, nil
	case err == nil:
		return body, nil
	case minio.ToErrorResponse(err).Code == minio.InvalidRange:
		return http.NoBody, nil
	}
	return nil, fmt.Errorf("reading the blob %s: %w", key, b.explain(err))
}

func (b *bucket) Delete(ctx context.Context, keys ...string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(deletesAtOnce)
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return errors.Join(err, group.Wait())
		}
		group.Go(func() error {
			err := b.explain(b.client.RemoveObject(ctx, b.name, b.prefix+key, minio.RemoveObjectOptions{}))
			if err != nil && !errors.Is(err, archive.ErrNotFound) {
				return fmt.Errorf("deleting the blob %s: %w", key, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (b *bucket) List(ctx context.Context, prefix, after string, limit int) ([]Blob, error) {
	limit = listLimit(limit)
	options := minio.ListObjectsOptions{Prefix: b.prefix + prefix, Recursive: true, MaxKeys: limit, FetchOwner: new(bool)}
	if after != "" {
		options.StartAfter = b.prefix + after
	}
	var found []Blob
	for object := range b.client.ListObjectsIter(ctx, b.name, options) {
		if object.Err != nil {
			return nil, fmt.Errorf("listing blobs: %w", b.explain(object.Err))
		}
		// Others may keep objects in the bucket too.
		if key := strings.TrimPrefix(object.Key, b.prefix); checkKey(key) == nil {
			found = append(found, Blob{key, object.Size, object.LastModified})
		}
		if len(found) == limit {
			break
		}
	}
	return found, ctx.Err()
}

// explain says what to do about an error of S3.
func (b *bucket) explain(err error) error {
	if err == nil {
		return nil
	}
	switch code := minio.ToErrorResponse(err).Code; code {
	case minio.NoSuchKey:
		return archive.ErrNotFound
	case minio.NoSuchBucket:
		return fmt.Errorf("there is no bucket %s at %s: make it, or correct the address: %w", b.name, b.client.EndpointURL().Host, err)
	case minio.InvalidAccessKeyID, minio.SignatureDoesNotMatch, "InvalidToken", "ExpiredToken", "ExpiredTokenException":
		return fmt.Errorf("%s refuses the credentials: correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: %w", b.client.EndpointURL().Host, err)
	case minio.AccessDenied, "AllAccessDisabled":
		return fmt.Errorf("the credentials do not suffice for the bucket %s: they need s3:ListBucket for it, and s3:GetObject, s3:PutObject and "+
			"s3:DeleteObject for what is in it: %w", b.name, err)
	case "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull", "StorageFull", "InsufficientStorage", "NotEnoughSpace":
		return fmt.Errorf("%w: %w", archive.ErrReadOnly, err)
	}
	if minio.ToErrorResponse(err).StatusCode == http.StatusInsufficientStorage {
		return fmt.Errorf("%w: %w", archive.ErrReadOnly, err)
	}
	return err
}
