package config

// Brand makes the pages a company's own.
type Brand struct {
	// The name on all pages.
	Title string `toml:"title" default:"Doorward"`
	// A picture (svg, png, jpg, webp, avif or gif) above the title.
	Logo string `toml:"logo" is:"path"`
	// The picture of the tab, also ico.
	Favicon string `toml:"favicon" is:"path"`
	// A picture behind the page of sign-in.
	Background string `toml:"background" is:"path"`
	// The accent: "#1b6e5c". Shades that can be read are made of it.
	Color string `toml:"color" shows:"Doorward's green"`
	// The language of those whose browser asks for none that there is.
	Language string `toml:"language" default:"en" enum:"en,de,fr"`
	// Links at the foot of every page: imprint, privacy, help.
	Links []Link `toml:"links"`
}

// Link is a link at the foot of pages.
type Link struct {
	// What it says.
	Title string `toml:"title"`
	// Where it leads: https, http or mailto, or a path of the host.
	URL string `toml:"url"`
}

// App is how a route is shown on the portal, to those who may open it.
type App struct {
	// What it is called.
	Title string `toml:"title"`
	// A file with its picture.
	Icon string `toml:"icon" is:"path" shows:"its first letters"`
	// A line about it.
	Description string `toml:"description"`
	// The heading that it stands under.
	Group string `toml:"group"`
	// Where it opens.
	URL string `toml:"url" shows:"the first host and path"`
	// It is not shown.
	Hidden bool `toml:"hidden" default:"false"`
}
