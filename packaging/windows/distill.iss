; Installer for Windows (Inno Setup 6), for one user and without an administrator.  packaging/build.py calls
;   ISCC /DVersion=... /DBundle=FOLDER /DTarget=FOLDER /DIcon=FILE packaging\windows\distill.iss
; To have it signed, build.py adds /Sdistill=COMMAND and /DSigned; see DISTILL_SIGNTOOL in packaging/README.md.

[Setup]
; Never change the id: by it Windows knows that a newer version replaces this one.
AppId={{7B1D8A56-52B7-4C1B-9C0E-6E6E3B0C9D41}
AppName=Distill
AppVersion={#Version}
AppVerName=Distill {#Version}
AppPublisher=The authors of Distill
DefaultDirName={autopf}\Distill
DefaultGroupName=Distill
DisableProgramGroupPage=yes
PrivilegesRequired=lowest
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
MinVersion=10.0.17763
ChangesAssociations=yes
ChangesEnvironment=yes
Compression=lzma2
SolidCompression=yes
LZMANumBlockThreads=2
WizardStyle=modern
SetupIconFile={#Icon}
UninstallDisplayIcon={app}\distill-gui.exe
UninstallDisplayName=Distill
OutputDir={#Target}
OutputBaseFilename=distill-{#Version}-windows
CloseApplications=yes
#ifdef Signed
SignTool=distill
SignedUninstaller=yes
#endif

[Tasks]
Name: desktopicon; Description: "{cm:CreateDesktopIcon}"; Flags: unchecked
Name: path; Description: "Add the distill command to the search path"; Flags: unchecked

[InstallDelete]
; A library of an older version that is left behind can be loaded in place of the new one.
Type: filesandordirs; Name: "{app}\_internal"

[Files]
Source: "{#Bundle}\*"; DestDir: "{app}"; Flags: recursesubdirs createallsubdirs ignoreversion

[Icons]
Name: "{group}\Distill"; Filename: "{app}\distill-gui.exe"
Name: "{autodesktop}\Distill"; Filename: "{app}\distill-gui.exe"; Tasks: desktopicon

[Registry]
; HKA is the user's own part of the registry, unless an administrator installs for everybody.
Root: HKA; Subkey: "Software\Classes\.distill\OpenWithProgids"; ValueType: string; ValueName: "Distill.Model"; ValueData: ""; Flags: uninsdeletevalue
Root: HKA; Subkey: "Software\Classes\Distill.Model"; ValueType: string; ValueData: "Distill model"; Flags: uninsdeletekey
Root: HKA; Subkey: "Software\Classes\Distill.Model\DefaultIcon"; ValueType: string; ValueData: "{app}\distill-gui.exe,0"
Root: HKA; Subkey: "Software\Classes\Distill.Model\shell\open\command"; ValueType: string; ValueData: """{app}\distill-gui.exe"" ""%1"""
Root: HKCU; Subkey: "Environment"; ValueType: expandsz; ValueName: "Path"; ValueData: "{olddata};{app}"; Tasks: path; Check: NeedsPath

[Run]
Filename: "{app}\distill-gui.exe"; Description: "{cm:LaunchProgram,Distill}"; Flags: nowait postinstall skipifsilent

[Code]
function NeedsPath(): Boolean;
var
  Value: string;
begin
  if not RegQueryStringValue(HKEY_CURRENT_USER, 'Environment', 'Path', Value) then
    Value := '';
  Result := Pos(';' + Uppercase(ExpandConstant('{app}')) + ';', ';' + Uppercase(Value) + ';') = 0;
end;

{ Removes our folder from the search path, and only an entry that is exactly our folder. }
procedure CurUninstallStepChanged(Step: TUninstallStep);
var
  Value, Entry, Kept: string;
  Separator: Integer;
begin
  if Step <> usPostUninstall then
    exit;
  if not RegQueryStringValue(HKEY_CURRENT_USER, 'Environment', 'Path', Value) then
    exit;
  Kept := '';
  while Value <> '' do
  begin
    Separator := Pos(';', Value);
    if Separator = 0 then
      Separator := Length(Value) + 1;
    Entry := Copy(Value, 1, Separator - 1);
    Delete(Value, 1, Separator);
    if (Entry <> '') and (CompareText(RemoveBackslash(Entry), ExpandConstant('{app}')) <> 0) then
    begin
      if Kept <> '' then
        Kept := Kept + ';';
      Kept := Kept + Entry;
    end;
  end;
  RegWriteExpandStringValue(HKEY_CURRENT_USER, 'Environment', 'Path', Kept);
end;
