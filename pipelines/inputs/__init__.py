"""Files of the user come in, checked pictures, sheets, posed views and lists of objects go out."""
