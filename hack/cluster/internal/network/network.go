// Package network makes the node's address and the routes of the cluster, and removes all that the cluster, its CNI
// plugin and kube-proxy put into the machine's network.
package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/testrun-dev/testrun/hack/cluster/internal/host"
	"github.com/testrun-dev/testrun/hack/cluster/internal/layout"
)

// egressRules refuse what a pod sends to anything but this machine and other pods. It could not get an answer from
// there anyway: its address means nothing outside. Refused, it fails at once instead of timing out.
const egressRules = `
add table ip %[1]s
delete table ip %[1]s
table ip %[1]s {
	chain forward {
		type filter hook forward priority filter; policy accept;
		iifname "%[2]s" oifname != "%[2]s" reject
	}
}
`

// Up makes the node's link, address and routes. It may be called again.
func Up(ctx context.Context) error {
	link, err := ensureBridge(layout.NodeLink)
	if err != nil {
		return err
	}
	addr, err := netlink.ParseAddr(layout.NodeNet)
	if err != nil {
		return err
	}
	if err := netlink.AddrReplace(link, addr); err != nil {
		return fmt.Errorf("address %s: %w", layout.NodeNet, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("link %s: %w", layout.NodeLink, err)
	}
	// Without this route a packet to a Service that has no rule (yet) would take the default route.
	_, services, err := net.ParseCIDR(layout.ServiceCIDR)
	if err != nil {
		return err
	}
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: services, Src: net.ParseIP(layout.NodeIP)}
	if err := netlink.RouteReplace(route); err != nil {
		return fmt.Errorf("route to the Services: %w", err)
	}
	return nft(ctx, fmt.Sprintf(egressRules, layout.NFTable, layout.PodLink))
}

// Conflict says whether the cluster's addresses are in use by something else on this machine.
func Conflict() error {
	for _, cidr := range []string{layout.NodeNet, layout.PodCIDR, layout.ServiceCIDR} {
		_, want, err := net.ParseCIDR(cidr)
		if err != nil {
			return err
		}
		routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
		if err != nil {
			return err
		}
		for _, r := range routes {
			if r.Dst == nil || r.Dst.IP.IsUnspecified() || !want.Contains(r.Dst.IP) && !r.Dst.Contains(want.IP) {
				continue
			}
			link, err := netlink.LinkByIndex(r.LinkIndex)
			if err != nil || link.Attrs().Name == layout.NodeLink || link.Attrs().Name == layout.PodLink {
				continue
			}
			return fmt.Errorf("the cluster wants the addresses %s, but %s has a route to %s: is another cluster running?",
				cidr, link.Attrs().Name, r.Dst)
		}
	}
	return nil
}

// Down removes links (and with them addresses and routes) and tables. It may be called when nothing is there.
func Down(ctx context.Context) error {
	var errs []error
	if bridge, err := netlink.LinkByName(layout.PodLink); err == nil {
		errs = append(errs, removePorts(bridge.Attrs().Index))
	}
	for _, name := range []string{layout.PodLink, layout.NodeLink} {
		if link, err := netlink.LinkByName(name); err == nil {
			errs = append(errs, netlink.LinkDel(link))
		}
	}
	if host.FindProgram("nft") != "" {
		for _, table := range []string{"ip " + layout.NFTable, "ip kube-proxy", "ip6 kube-proxy"} {
			// Added first, because deleting what is not there is an error.
			errs = append(errs, nft(ctx, "add table "+table+"\ndelete table "+table+"\n"))
		}
	}
	return errors.Join(errs...)
}

// removePorts deletes the links of pods whose network namespace has not gone away yet.
func removePorts(bridge int) error {
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	for _, link := range links {
		if link.Attrs().MasterIndex == bridge {
			// The kernel may be taking it away at this moment.
			_ = netlink.LinkDel(link)
		}
	}
	return nil
}

func ensureBridge(name string) (netlink.Link, error) {
	if link, err := netlink.LinkByName(name); err == nil {
		return link, nil
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	bridge := &netlink.Bridge{LinkAttrs: attrs}
	if err := netlink.LinkAdd(bridge); err != nil {
		return nil, fmt.Errorf("cannot add the bridge %s (does the kernel have bridges, and is this root?): %w", name, err)
	}
	return bridge, nil
}

func nft(ctx context.Context, rules string) error {
	cmd := exec.CommandContext(ctx, host.FindProgram("nft"), "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, output)
	}
	return nil
}
