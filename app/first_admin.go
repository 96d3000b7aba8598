package app

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"doorward/auth/directory"
	"doorward/auth/portal"
	"doorward/auth/user"
)

// adminGroup is the group that the first administrator is in.
const adminGroup = "admins"

// setupTime is how long the link for the first administrator is good.
const setupTime = 30 * time.Minute

// inviteFirst writes a link to the log by which the first administrator makes an
// account, while there is nobody who could. Nobody can do so without the log: a page
// that makes whoever comes first an administrator is one for strangers, too.
func (g *generation) inviteFirst(ctx context.Context) {
	s := g.signIn
	if s == nil || !g.cfg.SignIn.LocalUsers || slices.ContainsFunc(s.directory.All(), administers) {
		return
	}
	link, err := s.setupLink(ctx, g.cfg.SignIn.Host)
	if err != nil {
		g.log.Error("no link for the first administrator", zap.Error(err),
			zap.String("hint", "make one with: doorward user add NAME --admin"))
		return
	}
	g.log.Warn("nobody is in the group "+adminGroup+" yet: the first administrator signs up here",
		zap.String("link", link), zap.Duration("good_for", setupTime))
}

// administers tells whether a user is in the group of administrators and may sign in.
func administers(p *user.Person) bool {
	v := p.View()
	return v.User.State == user.Active && !v.User.Service && v.In(adminGroup)
}

// setupLink makes the link; one from before is good no more.
func (s *signIn) setupLink(ctx context.Context, host string) (string, error) {
	if err := s.directory.EndLinks(ctx, portal.SetupPurpose, ""); err != nil {
		return "", err
	}
	code, err := s.directory.CreateLink(ctx, directory.Link{
		Purpose: portal.SetupPurpose, Groups: []string{adminGroup}, Expires: time.Now().Add(setupTime),
	})
	return "https://" + host + "/setup?code=" + code, err
}
