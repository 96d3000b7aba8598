package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"doorward/app"
)

func newCerts() *cobra.Command {
	var at instance
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "certs",
		Short: "Show certificates, where they come from and when they end",
		Long: `Shows the certificates of the running instance.

  SOURCE   the file, or acme for one that is ordered from a CA
  STATE    of those that are ordered: ready; ordering: there is none yet, and clients
           get a temporary one that no browser trusts; failing: the last order came to
           nothing, the reason and the next try are below the table`,
		Args: noArguments,
		RunE: at.run(func(c *call) error {
			list, err := c.client.Certificates(c.ctx)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.out, list)
			}
			return printCerts(c, &list)
		}),
	}
	at.flags(cmd)
	jsonFlag(cmd, &asJSON)
	cmd.AddCommand(newCertsRenew(), newCertsRoot())
	return cmd
}

func printCerts(c *call, list *app.Certificates) error {
	if len(list.Certificates) == 0 {
		_, err := fmt.Fprintln(c.out, "no certificates")
		return err
	}
	t := newTable("NAME", "SOURCE", "ISSUER", "ENDS", ">DAYS", "STATE")
	for i := range list.Certificates {
		addCert(t, &list.Certificates[i], list.Now)
	}
	if err := t.print(c.out); err != nil {
		return err
	}
	for i := range list.Certificates {
		s := &list.Certificates[i]
		if s.Error == "" {
			continue
		}
		fmt.Fprintf(c.out, "\n%s: %s\n", strings.Join(s.Names, ", "), printable(s.Error))
		if s.NextTry != nil {
			fmt.Fprintf(c.out, "  next try in %s; doorward certs renew %s tries now\n",
				span(s.NextTry.Sub(list.Now)), s.Names[0])
		}
	}
	return nil
}

// soon is how many days before its end a certificate is pointed at.
const soon = 21

func addCert(t *table, s *app.CertificateStatus, now time.Time) {
	ends, days, state := nothing, nothing, nothing
	colours := map[string]colour{"ready": green, "ordering": yellow, "failing": red}
	late := false
	if s.NotAfter != nil {
		left := int(s.NotAfter.Sub(now).Hours() / 24)
		ends, days = s.NotAfter.Format(time.DateOnly), fmt.Sprint(left)
		late = left < soon
	}
	source := s.Source
	if source == "" {
		source = nothing
	}
	if s.State != "" {
		state = s.State
	}
	r := t.add(strings.Join(s.Names, ", "), source, printable(s.Issuer), ends, days, state)
	r.cells[5].colour = colours[s.State]
	if late {
		r.cells[4].colour = yellow
	}
}

func newCertsRenew() *cobra.Command {
	var at instance
	cmd := &cobra.Command{
		Use:   "renew NAME",
		Short: "Order a certificate now, whatever is due",
		Long: `Orders a certificate for a name now and waits until the CA has issued it, or has
said why not. Orders are few: CAs allow some a week for a name.`,
		Args: exactly(1, "the name of a host, as doorward certs shows it"),
		RunE: at.runFor(app.RenewTime+answerTime, func(c *call) error {
			s, err := c.client.RenewCertificate(c.ctx, c.args[0])
			if err == nil && s.NotAfter != nil {
				fmt.Fprintf(c.out, "%s has a new certificate, good until %s\n",
					c.args[0], s.NotAfter.Format(time.DateOnly))
			}
			return err
		}),
	}
	at.flags(cmd)
	return cmd
}

func newCertsRoot() *cobra.Command {
	var at instance
	cmd := &cobra.Command{
		Use:   "root",
		Short: "Print the root of the internal CA, for clients to trust",
		Long: `Prints the root certificate of the internal CA (tls.internal) in PEM. Who trusts it
trusts every host of tls.internal:

  doorward certs root > doorward-root.crt
  sudo cp doorward-root.crt /usr/local/share/ca-certificates/ && sudo update-ca-certificates
  curl --cacert doorward-root.crt https://app.localhost/`,
		Args: noArguments,
		RunE: at.run(func(c *call) error {
			root, err := c.client.InternalRoot(c.ctx)
			if err != nil {
				return err
			}
			fmt.Fprintln(c.errOut, "Who trusts this trusts every host of tls.internal;"+
				" doorward certs root --help tells how.")
			_, err = fmt.Fprint(c.out, root.PEM)
			return err
		}),
	}
	at.flags(cmd)
	return cmd
}
