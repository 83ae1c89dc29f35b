package release

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Push pushes the images and the chart of the release in options.Output to the registry that the release names.
func Push(ctx context.Context, options Options) error {
	if err := checkSums(options.Output); err != nil {
		return err
	}
	content, err := os.ReadFile(filepath.Join(options.Output, descriptionFile))
	if err != nil {
		return err
	}
	var release Release
	if err := json.Unmarshal(content, &release); err != nil {
		return fmt.Errorf("%s: %w", descriptionFile, err)
	}
	wanted := strings.TrimSuffix(options.Registry, "/")
	if wanted == "" {
		wanted = release.Registry
	}
	if wanted != release.Registry || wanted == unpublished {
		return fmt.Errorf("the manifests and the chart of the release in %s name images of %s: make it for your registry, "+
			"with `make release REGISTRY=HOST/PATH`, then push it", options.Output, release.Registry)
	}
	folder, err := os.MkdirTemp("", "testrun-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := untar(filepath.Join(options.Output, imagesFile(release.Version)), folder); err != nil {
		return err
	}
	images, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		return err
	}
	p := pusher{ctx: ctx, out: options.Out}
	for _, image := range release.Images {
		if err := p.pushImage(image, images); err != nil {
			return err
		}
	}
	if release.Chart == "" {
		return nil
	}
	return p.pushChart(&release, filepath.Join(options.Output, release.Chart))
}

type pusher struct {
	ctx context.Context
	out io.Writer
}

func (p pusher) options() []remote.Option {
	return []remote.Option{remote.WithContext(p.ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
}

func (p pusher) pushImage(image Image, images v1.ImageIndex) error {
	digest, err := v1.NewHash(image.Digest)
	if err != nil {
		return err
	}
	index, err := images.ImageIndex(digest)
	if err != nil {
		return fmt.Errorf("the image of the %s: %w", image.Program, err)
	}
	return p.push(image.Name, index)
}

// pushable is an image, or an index of images.
type pushable interface {
	remote.Taggable
	Digest() (v1.Hash, error)
}

// push writes what has a tag. A tag that has been pushed keeps what it names.
func (p pusher) push(reference string, content pushable) error {
	tag, err := name.NewTag(reference)
	if err != nil {
		return err
	}
	digest, err := content.Digest()
	if err != nil {
		return err
	}
	there, err := remote.Head(tag, p.options()...)
	switch {
	case err == nil && there.Digest == digest:
		fmt.Fprintf(p.out, "%s@%s is there already\n", tag, digest)
		return nil
	case err == nil:
		return fmt.Errorf("%s is in the registry already, and is %s there, not %s: a version is pushed once; release this commit as another one",
			tag, there.Digest, digest)
	case !isNotFound(err):
		return p.explain(tag, err)
	}
	switch content := content.(type) {
	case v1.ImageIndex:
		err = remote.WriteIndex(tag, content, p.options()...)
	case v1.Image:
		err = remote.Write(tag, content, p.options()...)
	default:
		err = fmt.Errorf("%T cannot be pushed", content)
	}
	if err != nil {
		return p.explain(tag, err)
	}
	fmt.Fprintf(p.out, "pushed %s@%s\n", tag, digest)
	return nil
}

func isNotFound(err error) bool {
	var refused *transport.Error
	return errors.As(err, &refused) && refused.StatusCode == http.StatusNotFound
}

// explain says what to do about what a registry has answered.
func (p pusher) explain(tag name.Tag, err error) error {
	registry := tag.RegistryStr()
	var refused *transport.Error
	if errors.As(err, &refused) && (refused.StatusCode == http.StatusUnauthorized || refused.StatusCode == http.StatusForbidden) {
		if user, known := p.user(tag); known {
			return fmt.Errorf("%s does not let %s push %s: is the password right, and may that user push there? Log in anew with "+
				"`docker login %s` or `helm registry login %s` (%w)", registry, user, tag, registry, registry, err)
		}
		return fmt.Errorf("%s lets nobody push %s who has not logged in: `docker login %s` or `helm registry login %s` (%w)",
			registry, tag, registry, registry, err)
	}
	return fmt.Errorf("push %s: %w", tag, err)
}

// user is whom the docker configuration names for the registry.
func (p pusher) user(tag name.Tag) (string, bool) {
	authenticator, err := authn.Resolve(p.ctx, authn.DefaultKeychain, tag)
	if err != nil || authenticator == authn.Anonymous {
		return "", false
	}
	config, err := authn.Authorization(p.ctx, authenticator)
	if err != nil || config.Username == "" {
		return "the user of its token", true
	}
	return config.Username, true
}

// untar unpacks the tar of an OCI layout.
func untar(file, folder string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	for entries := tar.NewReader(in); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if !filepath.IsLocal(header.Name) {
			return fmt.Errorf("%s holds the file %q, which leads out of it", file, header.Name)
		}
		path := filepath.Join(folder, header.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		out, err := os.Create(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, entries)
		if err := errors.Join(err, out.Close()); err != nil {
			return fmt.Errorf("%s: %w", header.Name, err)
		}
	}
}
