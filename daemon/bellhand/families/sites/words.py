"""Word lists of the sites family: what tells a mailbox, a placeholder, a page worth a visit."""


def words(text: str) -> frozenset[str]:
    """A set of the words of a text."""
    return frozenset(text.split())


# Names under which a firm reads its mail, rather than a person.
ROLES = words("""
    abuse account accounting accounts admin administration admissions advertising appointments
    billing booking bookings buero büro career careers contabilidad contact contacto contactus
    contato customer customercare customerservice customersupport datenschutz dpo editor empfang
    enquiries enquiry estimates events export feedback finance geral hello help helpdesk hiring
    hostmaster hr info infodesk information inquiries inquiry invoice job jobs kontakt legal list
    mail mailbox marketing media members membership news newsletter noreply office order orders
    parts personal post postmaster praxis presse press privacy purchasing reception recruitment
    redaktion rental reservas reservation reservations reservierung resume root sales security
    sekretariat service services shop solutions spares staff support tech team ventas verkauf
    vertrieb web webadmin webmaster zentrale
""")
# Domains nobody writes to, under the common endings: a template's, a form hint's, an error
# reporter's. Test.de is a real one.
PLACEHOLDER_DOMAINS = words("""
    companyname domain example mycompany mydomain mysite sample sentry sentry-next test website
    wixpress yourcompany yourdomain youremail yourmail yourname yoursite yourwebsite
""")
PLACEHOLDER_SUFFIXES = words("com org net io co co.uk xyz")
PLACEHOLDER_HOSTS = words("""
    beispiel.de ejemplo.com esempio.it exemple.com exemple.fr muster.de musterfirma.de mustermann.de
""")
PLACEHOLDER_NAMES = words("""
    email.address emailaddress first.last firstname.lastname jane.doe janedoe john.doe johndoe
    max.mustermann mustermann name.surname vorname.nachname you your-email your-name your.email
    your.mail your.name your_email your_name youremail yourmail yourname
""")
VAGUE_NAMES = words("abc email mail me name somebody someone test user username xyz")
VAGUE_DOMAINS = words("address company email mail provider server site somewhere")
FILE_ENDINGS = words("""
    asp aspx avif bmp css doc docx eot gif htm html ico jpeg jpg js json mjs mp3 mp4 pdf php png
    svg ttf webm webp woff xml zip
""")
# "Contact us at acme dot com" names no mailbox.
NO_NAMES = words("""
    and are available be buy directly find here him is it look me more now online only or order
    shop that them this today us visit you
""")

BLOCK_TAGS = words("""
    address article aside blockquote body br button caption center dd details dialog dir div dl dt
    fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr iframe img input label legend
    li main menu nav object ol option p pre section select summary table tbody td textarea tfoot th
    thead title tr ul video
""")
UNSEEN_TAGS = words("script style template -comment !doctype")
