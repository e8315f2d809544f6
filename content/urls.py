from django.urls import path

from content import folders, library, public, script_pages
from content.material_forms import FORMS
from content.models import Folder

app_name = "content"
urlpatterns = [
    path("console/materials/", library.index, name="materials"),
    *(path(f"console/materials/new/{kind}/", library.new, {"kind": kind}, name="new_material") for kind in FORMS),
    path("console/materials/upload/", library.upload, name="upload"),
    path("console/materials/pick/", library.pick, name="pick"),
    path("console/materials/move/", library.move, name="move_materials"),
    path("console/materials/delete/", library.delete, name="delete_materials"),
    path("console/materials/restore/", library.restore, name="restore_materials"),
    path("console/materials/<int:pk>/", library.detail, name="material"),
    path("console/materials/<int:pk>/edit/", library.edit, name="edit_material"),
    *(path(f"console/folders/new/{of}/", folders.new, {"of": of}, name="new_folder") for of in Folder.Of.values),
    path("console/folders/<int:pk>/", folders.edit, name="folder"),
    path("console/folders/<int:pk>/delete/", folders.delete, name="delete_folder"),
    path("console/scripts/", script_pages.index, name="scripts"),
    path("console/scripts/new/", script_pages.new, name="new_script"),
    path("console/scripts/move/", script_pages.move, name="move_scripts"),
    path("console/scripts/delete/", script_pages.delete, name="delete_scripts"),
    path("console/scripts/restore/", script_pages.restore, name="restore_scripts"),
    path("console/scripts/<int:pk>/", script_pages.script, name="script"),
    # open to customers
    path("t/cover/<str:signed>/", public.cover, name="cover"),
    path("t/<str:token>", public.open_link, name="open"),
    path("files/<str:signed>/<str:name>", public.file, name="file"),
]
