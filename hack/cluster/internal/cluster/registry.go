package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/testrun-dev/testrun/hack/cluster/internal/layout"
)

// registryHost is HOST or HOST:PORT: it becomes the name of a folder.
var registryHost = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$`)

// TrustRegistry lets the node pull images from a registry that listens on this machine. The file has the certificate of its CA. The
// runtime looks for this configuration at each pull.
func (c *Cluster) TrustRegistry(host, caFile string) error {
	if err := c.claim(); err != nil {
		return err
	}
	if err := trustRegistry(c.Layout, host, caFile); err != nil {
		return err
	}
	c.say("the node pulls from %s", host)
	return nil
}

func trustRegistry(l layout.Layout, host, caFile string) error {
	folder, err := registryFolder(l, host)
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return err
	}
	settings := map[string]string{"Server": "https://" + host, "CA": filepath.Join(folder, "ca.crt")}
	hosts, err := render("registry.toml", settings)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(settings["CA"], ca, 0o644), os.WriteFile(filepath.Join(folder, "hosts.toml"), hosts, 0o644))
}

// ForgetRegistry lets the node pull from nowhere again, as far as this registry goes.
func (c *Cluster) ForgetRegistry(host string) error {
	if err := c.claim(); err != nil {
		return err
	}
	return forgetRegistry(c.Layout, host)
}

func forgetRegistry(l layout.Layout, host string) error {
	folder, err := registryFolder(l, host)
	if err != nil {
		return err
	}
	return os.RemoveAll(folder)
}

func registryFolder(l layout.Layout, host string) (string, error) {
	if !registryHost.MatchString(host) {
		return "", fmt.Errorf("%q is no registry, as registry.example.com and 10.250.0.1:5000 are", host)
	}
	return l.ConfigFile(filepath.Join("registries", host)), nil
}

// UnloadImages removes the images of a registry from the node, so that the next pod that needs one pulls it again.
func (c *Cluster) UnloadImages(ctx context.Context, registry string) error {
	if err := errors.Join(RequireRoot("unload-image"), c.claim()); err != nil {
		return err
	}
	list, err := c.ctr(ctx, "images", "list")
	if err != nil {
		return fmt.Errorf("%w (is the cluster up?)", err)
	}
	if images := imagesOf(registry, list); len(images) > 0 {
		if _, err := c.ctr(ctx, append([]string{"images", "remove", "--sync"}, images...)...); err != nil {
			return err
		}
		c.say("removed %d images of %s", len(images), registry)
	}
	return nil
}

// imagesOf picks the names of a registry's images out of a list, whose lines begin with a name, a type and a digest. The runtime keeps an
// image under further names, of its digest only: they are among them.
func imagesOf(registry, list string) []string {
	names := map[string][]string{}
	var digests []string
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		name, digest := fields[0], fields[2]
		names[digest] = append(names[digest], name)
		if strings.HasPrefix(name, registry+"/") && !slices.Contains(digests, digest) {
			digests = append(digests, digest)
		}
	}
	var images []string
	for _, digest := range digests {
		for _, name := range names[digest] {
			if strings.HasPrefix(name, registry+"/") || strings.HasPrefix(name, "sha256:") {
				images = append(images, name)
			}
		}
	}
	return images
}
